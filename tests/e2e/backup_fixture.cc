#include "tests/e2e/backup_fixture.h"

#include <ctime>
#include <filesystem>
#include <fstream>

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/error.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {

namespace fs = std::filesystem;

std::string noise(std::size_t bytes, unsigned seed) {
  // xorshift64 (Marsaglia 2003): quick, and good enough for bytes that do not compress.
  std::uint64_t state = seed * 0x9E3779B97F4A7C15U + 1;
  std::string text(bytes, '\0');
  for (auto& c : text) {
    state ^= state << 13U;
    state ^= state >> 7U;
    state ^= state << 17U;
    c = static_cast<char>(state >> 32U);
  }
  return text;
}

void next_second() {
  const auto now = std::time(nullptr);
  wait_until([&] { return std::time(nullptr) != now; });
}

std::string missing_fields(const nlohmann::json& object, const Words& names) {
  std::string missing;
  for (const auto& name : names)
    if (!object.contains(name)) missing += name + " ";
  return missing;
}

Words as_nobody(const Words& argv) {
  Words words{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
  words.insert(words.end(), argv.begin(), argv.end());
  return words;
}

BackupTest::BackupTest() { add_environment("MUSTER_REPOSITORY=" + repository()); }

Launch BackupTest::backup_command(const Words& words) const {
  Words all{"backup"};
  all.insert(all.end(), words.begin(), words.end());
  return command(all);
}

Finished BackupTest::backup(const Words& words, const std::string& input) {
  Launch launch = backup_command(words);
  launch.input = input;
  auto finished = run(launch);
  EXPECT_FALSE(finished.late) << "did not end in time\n" << told(finished);
  return finished;
}

Finished BackupTest::expect(int status, const Words& words, const std::string& input) {
  auto finished = backup(words, input);
  EXPECT_EQ(finished.code, status) << words.front() << ": " << told(finished);
  return finished;
}

Finished BackupTest::create(const std::string& name, const Words& images, const Words& more) {
  Words words{"create", "--name", name};
  for (const auto& image : images) words.insert(words.end(), {"--image", image});
  words.insert(words.end(), more.begin(), more.end());
  return backup(words);
}

std::vector<nlohmann::json> BackupTest::points() {
  auto lines = json_lines(expect(0, {"list", "--json"}).out);
  if (!lines.empty()) lines.pop_back();
  return lines;
}

std::string BackupTest::usual_key_file() const {
  std::string found;
  for (const auto& entry : fs::directory_iterator(home() + "/.config/muster/keys")) {
    EXPECT_EQ(found, "") << "more than one key file";
    found = entry.path();
  }
  return found;
}

std::string BackupTest::make_image(const std::string& name, std::size_t bytes, unsigned seed) const {
  std::ofstream(file(name), std::ios::binary) << noise(bytes, seed);
  return file(name);
}

void BackupTest::overwrite(const std::string& path, std::size_t offset, std::size_t bytes, unsigned seed) const {
  std::fstream stream(path, std::ios::binary | std::ios::in | std::ios::out);
  stream.seekp(static_cast<std::streamoff>(offset));
  stream << noise(bytes, seed);
}

bool BackupTest::same(const std::string& a, const std::string& b) const {
  return run({.argv = {"cmp", a, b}}).code == 0;
}

std::uint64_t BackupTest::allocated_bytes(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 ? static_cast<std::uint64_t>(facts.st_blocks) * 512 : 0;
}

SmallFileSystem::SmallFileSystem(std::string path, const std::string& size) : path_(std::move(path)) {
  fs::create_directory(path_);
  // What is mounted from now on is this process's own, and its children's.
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    base::throw_errno("make a mount namespace");
  if (::mount("none", path_.c_str(), "tmpfs", 0, ("size=" + size).c_str()) != 0) base::throw_errno("mount " + path_);
}

SmallFileSystem::~SmallFileSystem() { ::umount2(path_.c_str(), MNT_DETACH); }

}  // namespace muster::e2e
