// Holds the code against the map of CONTRIBUTING.md: which folder may include and link which, where the header of a C
// library may appear, how long a file may be. Reads the tree as text, so that a new edge fails before it is used.
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

const fs::path kRoot = MUSTER_SOURCE_DIR;

const std::map<std::string, Names> kMayUse = {
    {"playbooks", {"clone", "vm", "backup", "disk", "parallel-ssh", "inventory", "virt", "yaml", "base"}},
    {"clone", {"vm", "backup", "disk", "parallel-ssh", "inventory", "virt", "archive", "yaml", "base"}},
    {"vm", {"backup", "disk", "parallel-ssh", "inventory", "virt", "archive", "yaml", "base"}},
    {"backup", {"disk", "parallel-ssh", "virt", "archive", "base"}},
    {"disk", {"parallel-ssh", "virt", "base"}},
    {"parallel-ssh", {"inventory", "archive", "base"}},
    {"inventory", {"yaml", "base"}},
    {"virt", {"base"}},
    {"yaml", {"base"}},
    {"archive", {"base"}},
    {"base", {}},
    {"cli",
     {"playbooks", "clone", "vm", "backup", "disk", "parallel-ssh", "inventory", "virt", "yaml", "archive", "base"}},
};

// Header prefix -> the folders that may include it. What is not listed (fmt, the standard library) is free.
const std::map<std::string, Names> kOnlyIn = {
    {"libvirt/", {"virt"}},
    {"pugixml", {"virt"}},
    {"libssh/", {"parallel-ssh"}},
    {"libnbd", {"disk"}},
    {"guestfs", {"disk"}},
    {"libfdisk/", {"disk"}},
    {"blkid/", {"disk"}},
    {"zstd", {"backup"}},
    {"xxhash", {"backup"}},
    {"nbdkit", {"backup"}},
    {"curl/", {"backup"}},
    {"archive.h", {"archive"}},
    {"archive_entry.h", {"archive"}},
    {"yaml.h", {"yaml"}},
    {"openssl/", {"base", "backup"}},
    {"boost/program_options", {"cli"}},
};

constexpr std::size_t kMaxLines = 600;

// All that most tests here look at: expressions are slow.
std::string include_lines(const fs::path& path) {
  std::ifstream file(path);
  std::string lines;
  for (std::string line; std::getline(file, line);)
    if (line.find("#include") != std::string::npos) lines += line + '\n';
  return lines;
}

std::string read(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<fs::path> sources_of(const std::string& folder) {
  std::vector<fs::path> found;
  if (!fs::exists(kRoot / folder)) return found;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder))
    if (entry.path().extension() == ".h" || entry.path().extension() == ".cc") found.push_back(entry.path());
  return found;
}

std::vector<std::string> includes_of(const std::string& text, const std::regex& form) {
  std::vector<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), form), end; it != end; ++it) found.push_back((*it)[1]);
  return found;
}

TEST(Architecture, IncludesFollowTheMap) {
  static const std::regex kOurs(R"(#include\s+"([^"]+)\")");
  std::size_t seen = 0;
  for (const auto& [folder, allowed] : kMayUse)
    for (const auto& file : sources_of(folder))
      for (const auto& include : includes_of(include_lines(file), kOurs)) {
        const std::string target = include.substr(0, include.find('/'));
        ++seen;
        EXPECT_TRUE(target == folder || allowed.contains(target)) << file << " may not include " << include;
      }
  EXPECT_GT(seen, 10U);
}

TEST(Architecture, LinkLinesFollowTheMap) {
  static const std::regex kLinks(R"(LINKS([^)]*)\))");
  std::size_t seen = 0;
  for (const auto& [folder, allowed] : kMayUse) {
    const std::string text = read(kRoot / folder / "CMakeLists.txt");
    for (const auto& line : includes_of(text, kLinks)) {
      std::istringstream words(line);
      for (std::string library; words >> library;) {
        ++seen;
        const bool ours = kMayUse.contains(library);
        EXPECT_TRUE(!ours || library == folder || allowed.contains(library)) << folder << " may not link " << library;
      }
    }
  }
  EXPECT_GT(seen, 3U);
}

TEST(Architecture, CLibrariesStayInTheirFolder) {
  static const std::regex kTheirs(R"(#include\s+<([^>]+)>)");
  for (const auto& entry : kMayUse)
    for (const auto& file : sources_of(entry.first))
      for (const auto& include : includes_of(include_lines(file), kTheirs)) {
        for (const auto& [prefix, folders] : kOnlyIn)
          EXPECT_TRUE(!include.starts_with(prefix) || folders.contains(entry.first))
              << file << " may not include <" << include << ">";
        // A header may name the type of a parameter, and no more.
        EXPECT_TRUE(!include.starts_with("nlohmann/") || file.extension() == ".cc" ||
                    include == "nlohmann/json_fwd.hpp")
            << "nlohmann-json stays out of headers: " << file;
      }
}

TEST(Architecture, EveryFolderIsOnTheMap) {
  static const Names kOther = {"build", "tests", "man", "bench", "scripts", "cmake", "completion", "docs"};
  for (const auto& entry : fs::directory_iterator(kRoot)) {
    const std::string name = entry.path().filename();
    EXPECT_TRUE(!entry.is_directory() || name.starts_with(".") || kMayUse.contains(name) || kOther.contains(name))
        << name << " is not on the map";
  }
}

TEST(Architecture, FilesStayShort) {
  for (const auto& entry : kMayUse)
    for (const auto& file : sources_of(entry.first)) {
      const std::string text = read(file);
      EXPECT_LE(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')), kMaxLines) << file;
    }
}

// Two types of one name in one namespace are one type for the linker, which takes whichever functions of them it likes.
TEST(Architecture, HeadersOfAFolderNameEachTypeOnce) {
  static const std::regex kType(R"((?:^|\n)(?:struct|class|enum class) (\w+)(?!\w|::)[^;\n]*\{)");
  for (const auto& entry : kMayUse) {
    std::map<std::string, fs::path> seen;
    for (const auto& file : sources_of(entry.first)) {
      if (file.extension() != ".h") continue;
      for (const auto& name : includes_of(read(file), kType)) {
        const auto [first, fresh] = seen.emplace(name, file);
        EXPECT_TRUE(fresh) << name << " is in " << first->second << " and in " << file;
      }
    }
  }
}

}  // namespace
