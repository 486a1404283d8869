#include "tests/disk/support.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace muster::disk {
namespace {

using namespace std::chrono_literals;

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// qemu-nbd listens before it opens its image, and greets after that.
bool greets(const std::string& path) {
  const base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return false;
  char byte = 0;
  return ::recv(fd.get(), &byte, 1, 0) == 1;
}

}  // namespace

TempDir::TempDir() : path_(std::filesystem::temp_directory_path() / "muster-disk-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) base::throw_errno("make directory " + path_);
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

bool eventually(const std::function<bool()>& happened) {
  const auto deadline = base::Clock::now() + 30s;
  while (!happened()) {
    if (base::Clock::now() > deadline) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

bool installed(const std::string& program) { return run({"sh", "-c", "command -v " + program}).code == 0; }

OtherPrograms::OtherPrograms(const std::string& directory) : directory_(directory), former_path_(std::getenv("PATH")) {
  namespace fs = std::filesystem;
  fs::create_directories(directory_);
  std::istringstream path(former_path_);
  for (std::string place; std::getline(path, place, ':');) {
    if (!fs::is_directory(place)) continue;
    for (const auto& entry : fs::directory_iterator(place)) {
      const auto link = fs::path(directory_) / entry.path().filename();
      if (!fs::is_symlink(link)) fs::create_symlink(entry.path(), link);
    }
  }
  ::setenv("PATH", directory_.c_str(), 1);
}

OtherPrograms::~OtherPrograms() { ::setenv("PATH", former_path_.c_str(), 1); }

void OtherPrograms::leave_out(const std::string& program) const { std::filesystem::remove(directory_ + "/" + program); }

void OtherPrograms::let_fail_at_its_end(const std::string& program) const {
  const std::string link = directory_ + "/" + program, real = std::filesystem::read_symlink(link);
  leave_out(program);
  // A program has signals' handlers of its own.
  std::ofstream(link) << "#!/bin/sh\ntrap '' TERM\n" << real << " \"$@\"\nexit 1\n";
  std::filesystem::permissions(link, std::filesystem::perms::owner_all);
}

Finished run(const std::vector<std::string>& argv) {
  base::ChildProcess child(argv);
  child.standard_input().reset();
  Finished finished{};
  finished.out = base::read_to_end(child.standard_output().get(), 60s);
  finished.err = base::read_to_end(child.standard_error().get(), 60s);
  finished.code = child.wait(60s).code;
  return finished;
}

std::string run_well(const std::vector<std::string>& argv) {
  const auto finished = run(argv);
  EXPECT_EQ(finished.code, 0) << argv[0] << " " << argv[1] << ": " << finished.out << finished.err;
  return finished.out;
}

std::optional<Thrown> thrown_by(const std::function<void()>& action) {
  try {
    action();
  } catch (const base::Error& e) {
    return Thrown{e.code(), e.what()};
  }
  ADD_FAILURE() << "nothing was thrown";
  return std::nullopt;
}

void expect_error(base::Code code, const std::string& words, const std::function<void()>& action) {
  const auto thrown = thrown_by(action);
  if (!thrown) return;
  EXPECT_EQ(thrown->code, code) << thrown->text;
  EXPECT_NE(thrown->text.find(words), std::string::npos) << thrown->text;
}

base::Bytes pattern(std::uint64_t offset, std::size_t count) {
  base::Bytes bytes(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t at = offset + i;
    bytes[i] = static_cast<std::byte>(1 + (at + at / 251 + at / 65'521) % 255);
  }
  return bytes;
}

base::Bytes zeroes(std::size_t count) { return base::Bytes(count); }

base::Bytes joined(std::initializer_list<base::Bytes> parts) {
  base::Bytes all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

base::Bytes read_at(const base::Context& ctx, BlockReader& disk, ByteRange range) {
  base::Bytes bytes(range.length, std::byte{0xee});
  disk.read(ctx, range.offset, bytes);
  return bytes;
}

base::Bytes read_sparsely(const base::Context& ctx, BlockReader& disk) {
  base::Bytes bytes(disk.size_bytes());
  std::uint64_t last_end = 0;
  for (const auto& range : disk.data_ranges(ctx, {0, disk.size_bytes()})) {
    EXPECT_GT(range.length, 0U);
    EXPECT_TRUE(range.offset > last_end || last_end == 0) << "ranges touch at " << range.offset;
    last_end = range.end();
    disk.read(ctx, range.offset, base::MutableBytes(bytes).subspan(range.offset, range.length));
  }
  return bytes;
}

void write_file(const std::string& path, base::ByteView bytes) {
  const base::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  base::write_all(fd.get(), base::as_text(bytes));
}

void write_into(const std::string& path, std::uint64_t offset, base::ByteView bytes) {
  const base::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  EXPECT_EQ(::lseek(fd.get(), static_cast<off_t>(offset), SEEK_SET), static_cast<off_t>(offset));
  base::write_all(fd.get(), base::as_text(bytes));
}

void make_sparse(const std::string& path, std::uint64_t size_bytes, const std::vector<ByteRange>& data) {
  write_file(path, {});
  std::filesystem::resize_file(path, size_bytes);
  for (const auto& range : data) write_into(path, range.offset, pattern(range.offset, range.length));
}

std::uint64_t allocated(const std::string& path) {
  struct stat seen {};
  EXPECT_EQ(::stat(path.c_str(), &seen), 0);
  return static_cast<std::uint64_t>(seen.st_blocks) * 512;
}

Server::Server(const std::vector<std::string>& argv, const std::string& socket)
    : program_(std::make_unique<base::ChildProcess>(argv)), uri_("nbd+unix:///?socket=" + socket) {
  pollfd ended{.fd = program_->ended_fd(), .events = POLLIN, .revents = 0};
  if (!eventually([&] { return greets(socket) || ::poll(&ended, 1, 0) > 0; }) || ended.revents != 0)
    ADD_FAILURE() << argv[0] << " does not start: " << base::read_to_end(program_->standard_error().get(), 1s);
}

Server Server::nbdkit(const TempDir& dir, const std::vector<std::string>& arguments) {
  const std::string socket = dir / "nbdkit.socket";
  std::vector<std::string> argv{"nbdkit", "-f", "--exit-with-parent", "-U", socket};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return {argv, socket};
}

Server Server::qemu_nbd(const TempDir& dir, const std::vector<std::string>& arguments) {
  const std::string socket = dir / "qemu-nbd.socket";
  std::vector<std::string> argv{"qemu-nbd", "--persistent", "-k", socket};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return {argv, socket};
}

void Server::freeze() {
  program_->signal(SIGSTOP);
  siginfo_t stopped{};
  EXPECT_EQ(::waitid(P_PID, static_cast<id_t>(program_->pid()), &stopped, WSTOPPED), 0);
}

std::size_t logged(const std::string& log, const std::string& what) {
  const std::string text = read_text(log);
  std::size_t count = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

}  // namespace muster::disk
