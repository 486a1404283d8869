#include "tests/e2e/area_fixture.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

namespace fs = std::filesystem;

void put(const fs::path& path, const std::string& bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

// user::rw-, user:1234:r--, group::r--, mask::r--, other::r-- as the kernel has it.
constexpr std::array<unsigned char, 44> kAccess{
    2, 0, 0,    0,    1,    0,    6,  0, 0xff, 0xff, 0xff, 0xff, 2,    0,    4,  0, 0xd2, 4, 0,    0,    4,    0,
    4, 0, 0xff, 0xff, 0xff, 0xff, 16, 0, 4,    0,    0xff, 0xff, 0xff, 0xff, 32, 0, 4,    0, 0xff, 0xff, 0xff, 0xff};

std::string attributes_of(const std::string& path) {
  std::string names(65536, '\0'), text;
  const ssize_t size = ::llistxattr(path.c_str(), names.data(), names.size());
  if (size <= 0) return text;
  names.resize(static_cast<std::size_t>(size));
  std::istringstream each(names);
  std::map<std::string, std::string> values;
  for (std::string name; std::getline(each, name, '\0');) {
    std::string value(65536, '\0');
    value.resize(static_cast<std::size_t>(
        std::max<ssize_t>(0, ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size()))));
    values[name] = value;
  }
  for (const auto& [name, value] : values) text += " " + name + "=" + value;
  return text;
}

}  // namespace

void make_full_tree(const std::string& directory) {
  const fs::path root = directory;
  fs::create_directories(root / "dir/empty");
  put(root / "dir/plain", "hello\n");
  put(root / "dir/nothing", "");
  put(root / "dir/large", noise(9'000'000, 3));
  put(root / "-dash", "begins with a dash");
  put(root / "new\nline", "1");
  put(root / "caf\351", "no UTF-8");
  put(root / "\xc3\xa9t\xc3\xa9", "UTF-8");
  put(root / "back\\slash \"quotes\" *?", "2");
  put(root / "\x01", "3");
  put(root / (std::string(250, 'l')), "long name");
  fs::path deep = root / "deep";
  for (int i = 0; i < 30; ++i) deep /= std::string(100, 'd');
  fs::create_directories(deep);
  put(deep / "bottom", "far down");
  put(root / "sparse", "");
  fs::resize_file(root / "sparse", 20'000'000);
  const int fd = ::open((root / "sparse").c_str(), O_WRONLY | O_CLOEXEC);
  EXPECT_EQ(::pwrite(fd, "in the middle", 13, 10'000'000), 13);
  ::close(fd);
  put(root / "hole", "");
  fs::resize_file(root / "hole", 5'000'000);
  fs::create_hard_link(root / "dir/plain", root / "another name");
  fs::create_hard_link(root / "dir/plain", root / "zz");
  fs::create_symlink("dir/plain", root / "link");
  fs::create_symlink("no\nwhere \351", root / "dangling");
  fs::create_directory_symlink("/etc", root / "link-to-etc");
  EXPECT_EQ(::mkfifo((root / "fifo").c_str(), 0640), 0);
  EXPECT_EQ(::chmod((root / "dir/nothing").c_str(), 06711), 0);
  EXPECT_EQ(::chmod((root / "dir/empty").c_str(), 01777), 0);
  EXPECT_EQ(::setxattr((root / "dir/large").c_str(), "user.muster", "a\0b\n", 4, 0), 0);
  EXPECT_EQ(::setxattr((root / "dir").c_str(), "user.of-directory", "x", 1, 0), 0);
  EXPECT_EQ(::setxattr((root / "new\nline").c_str(), "system.posix_acl_access", kAccess.data(), kAccess.size(), 0), 0);
  EXPECT_EQ(::setxattr((root / "dir/empty").c_str(), "system.posix_acl_default", kAccess.data(), kAccess.size(), 0), 0);
  if (!is_root()) return;
  EXPECT_EQ(::mknod((root / "null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  EXPECT_EQ(::mknod((root / "block").c_str(), S_IFBLK | 0600, makedev(7, 99)), 0);
  EXPECT_EQ(::lchown((root / "dir/large").c_str(), 1234, 2345), 0);
  EXPECT_EQ(::lchown((root / "dangling").c_str(), 4'000'000, 5), 0);
  const std::array<timespec, 2> old{{{.tv_sec = 1, .tv_nsec = 123456789}, {.tv_sec = -100, .tv_nsec = 987654321}}};
  EXPECT_EQ(::utimensat(AT_FDCWD, (root / "dir/empty").c_str(), old.data(), 0), 0);
  EXPECT_EQ(::utimensat(AT_FDCWD, (root / "link").c_str(), old.data(), AT_SYMLINK_NOFOLLOW), 0);
}

Tree tree_of(const std::string& directory) {
  Tree tree;
  std::map<ino_t, std::string> first;
  std::vector<fs::path> paths{directory};
  for (const auto& entry : fs::recursive_directory_iterator(directory)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (const auto& path : paths) {
    struct stat facts {};
    EXPECT_EQ(::lstat(path.c_str(), &facts), 0);
    const std::string name = path.lexically_relative(directory).string();
    std::ostringstream text;
    text << std::oct << facts.st_mode << std::dec << " " << facts.st_uid << ":" << facts.st_gid << " "
         << facts.st_mtim.tv_sec << "." << facts.st_mtim.tv_nsec << " rdev " << facts.st_rdev;
    if (S_ISREG(facts.st_mode)) {
      const auto other = facts.st_nlink > 1 ? first.emplace(facts.st_ino, name).first->second : name;
      text << " as " << other << " size " << facts.st_size << (facts.st_blocks * 512 < facts.st_size ? " sparse" : "");
      std::ifstream file(path, std::ios::binary);
      std::ostringstream bytes;
      bytes << file.rdbuf();
      text << " content " << std::hash<std::string>()(bytes.str());
    }
    if (S_ISLNK(facts.st_mode)) text << " -> " << fs::read_symlink(path).string();
    text << attributes_of(path);
    tree[name] = text.str();
  }
  return tree;
}

std::string difference(const Tree& wanted, const Tree& found) {
  std::string text;
  for (const auto& [path, facts] : wanted) {
    const auto other = found.find(path);
    if (other == found.end())
      text += "missing: " + path + "\n";
    else if (other->second != facts)
      text += path + "\n  was    " + facts + "\n  is now " + other->second + "\n";
  }
  for (const auto& [path, facts] : found)
    if (!wanted.contains(path)) text += "too much: " + path + "\n";
  return text;
}

void wait_until_settled() {
  const auto enough = std::chrono::steady_clock::now() + std::chrono::milliseconds(3100);
  wait_until([&] { return std::chrono::steady_clock::now() >= enough; });
}

}  // namespace muster::e2e
