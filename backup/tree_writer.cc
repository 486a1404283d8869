#include "backup/tree_writer.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/error.h"

namespace muster::backup {
namespace {

using archive::Entry;
using archive::EntryType;
using base::Code;
using base::Error;
using base::throw_errno;
using base::UniqueFd;

std::array<timespec, 2> times_of(const Entry& entry) {
  const timespec modified{.tv_sec = static_cast<time_t>(entry.modified.seconds),
                          .tv_nsec = static_cast<long>(entry.modified.nanoseconds)};
  return {modified, modified};
}

std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    parts.push_back(path.substr(at, end - at));
    if (parts.back().empty() || parts.back() == "." || parts.back() == "..")
      throw Error(Code::refused, "'" + path + "' leads out of where it is to be restored");
    at = end + 1;
  }
  return parts;
}

// What a descriptor of O_PATH stands for, for calls that take no such descriptor; a symbolic link itself.
std::string by_descriptor(const UniqueFd& fd) { return "/proc/self/fd/" + std::to_string(fd.get()); }

// Without its owner, a file must not run with the rights of another.
mode_t mode_of(const Entry& entry, bool owned) { return owned ? entry.mode : entry.mode & 01777U; }

bool is_root() { return ::geteuid() == 0; }

}  // namespace

TreeWriter::TreeWriter(const std::string& directory) {
  Level top{.name = directory, .fd = UniqueFd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC))};
  if (!top.fd) throw_errno("open directory " + directory);
  levels_.push_back(std::move(top));
}

TreeWriter::~TreeWriter() {
  if (file_) ::unlinkat(parent_, made_as_.c_str(), 0);
}

UniqueFd TreeWriter::enter(int parent, const std::string& name, Missing missing) const {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  UniqueFd fd(::openat(parent, name.c_str(), kFlags));
  if (!fd && errno == ENOENT && missing == Missing::is_made && ::mkdirat(parent, name.c_str(), 0755) == 0)
    fd = UniqueFd(::openat(parent, name.c_str(), kFlags));
  if (!fd && (errno == ELOOP || errno == ENOTDIR))
    throw Error(Code::refused, "'" + name + "' on the way to it is no directory");
  if (!fd) throw_errno("enter directory " + name);
  return fd;
}

// What is below is complete once something else comes.
void TreeWriter::leave(std::size_t depth) {
  while (levels_.size() > depth) {
    Level& level = levels_.back();
    const auto entry = std::exchange(level.entry, std::nullopt);
    const UniqueFd fd = std::move(level.fd);
    levels_.pop_back();
    if (entry) apply(fd.get(), *entry);
  }
}

int TreeWriter::parent_of(const std::string& path) {
  const auto parts = parts_of(path);
  std::size_t same = 0;
  while (same + 1 < parts.size() && same + 1 < levels_.size() && levels_[same + 1].name == parts[same]) ++same;
  leave(same + 1);
  for (; same + 1 < parts.size(); ++same) {
    UniqueFd fd = enter(levels_.back().fd.get(), parts[same], Missing::is_made);
    levels_.push_back({.name = parts[same], .fd = std::move(fd)});
  }
  name_ = parts.back();
  return levels_.back().fd.get();
}

void TreeWriter::begin(const Entry& entry, const std::vector<archive::Extent>&) {
  entry_ = entry;
  made_as_.clear();
  if (entry.path.empty()) {
    if (entry.type != EntryType::directory) throw Error(Code::refused, "is no directory, and has no name");
    levels_.front().entry = entry;
    return;
  }
  parent_ = parent_of(entry.path);
  switch (entry.type) {
    case EntryType::directory:
      return make_directory(entry);
    case EntryType::file:
      return make_file(entry);
    case EntryType::hard_link:
      return make_link(entry);
    case EntryType::symlink:
      return make_symlink(entry);
    case EntryType::fifo:
    case EntryType::character_device:
    case EntryType::block_device:
      return make_node(entry);
  }
}

void TreeWriter::clear_the_way(int parent, const std::string& name) {
  if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return;
  if (errno != EISDIR && errno != EPERM) throw_errno("replace " + name);
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0) throw_errno("replace directory " + name);
}

void TreeWriter::make_directory(const Entry& entry) {
  if (::mkdirat(parent_, name_.c_str(), 0700) != 0) {
    if (errno != EEXIST) throw_errno("make directory " + name_);
    struct stat facts {};
    if (::fstatat(parent_, name_.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) throw_errno("look at " + name_);
    if (!S_ISDIR(facts.st_mode)) {
      clear_the_way(parent_, name_);
      if (::mkdirat(parent_, name_.c_str(), 0700) != 0) throw_errno("make directory " + name_);
    }
  }
  UniqueFd fd = enter(parent_, name_, Missing::is_an_error);
  levels_.push_back({.name = name_, .fd = std::move(fd), .entry = entry});
}

// Under its own name where that is free, else beside what it replaces, which stays until the new one is whole.
void TreeWriter::make_file(const Entry&) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  made_as_ = name_;
  file_ = UniqueFd(::openat(parent_, made_as_.c_str(), kFlags, 0600));
  if (!file_ && errno == EEXIST) {
    made_as_ = ".muster-restore-" + std::to_string(::getpid());
    clear_the_way(parent_, made_as_);
    file_ = UniqueFd(::openat(parent_, made_as_.c_str(), kFlags, 0600));
  }
  if (!file_) throw_errno("make file " + name_);
}

void TreeWriter::write(std::uint64_t offset, base::ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("write " + name_);
    offset += static_cast<std::uint64_t>(n);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void TreeWriter::put_in_place() {
  if (made_as_ == name_) return;
  if (::renameat(parent_, made_as_.c_str(), parent_, name_.c_str()) == 0) return;
  if (errno == EISDIR || errno == ENOTEMPTY || errno == EEXIST) {
    clear_the_way(parent_, name_);
    if (::renameat(parent_, made_as_.c_str(), parent_, name_.c_str()) == 0) return;
  }
  throw_errno("replace " + name_);
}

void TreeWriter::end() {
  if (!file_) return;
  try {
    if (::ftruncate(file_.get(), static_cast<off_t>(entry_.size_bytes)) != 0) throw_errno("write " + name_);
    apply(file_.get(), entry_);
    put_in_place();
    file_.reset();
  } catch (const Error&) {
    spoil();
    throw;
  }
}

void TreeWriter::spoil() {
  if (!file_) return;
  ::unlinkat(parent_, made_as_.c_str(), 0);
  file_.reset();
}

void TreeWriter::make_link(const Entry& entry) {
  const auto parts = parts_of(entry.target);
  UniqueFd at;
  for (std::size_t i = 0; i + 1 < parts.size(); ++i)
    at = enter(at ? at.get() : levels_.front().fd.get(), parts[i], Missing::is_an_error);
  const int from = at ? at.get() : levels_.front().fd.get();
  struct stat target {
  }, there{};
  if (::fstatat(from, parts.back().c_str(), &target, AT_SYMLINK_NOFOLLOW) != 0) throw_errno("link to " + entry.target);
  if (!S_ISREG(target.st_mode)) throw Error(Code::refused, "is a link to '" + entry.target + "', which is no file");
  const bool exists = ::fstatat(parent_, name_.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0;
  if (exists && there.st_dev == target.st_dev && there.st_ino == target.st_ino) return;
  if (exists) clear_the_way(parent_, name_);
  if (::linkat(from, parts.back().c_str(), parent_, name_.c_str(), 0) != 0) throw_errno("link to " + entry.target);
}

void TreeWriter::make_symlink(const Entry& entry) {
  clear_the_way(parent_, name_);
  if (::symlinkat(entry.target.c_str(), parent_, name_.c_str()) != 0) throw_errno("make symbolic link " + name_);
  apply_to_node(entry);
}

void TreeWriter::make_node(const Entry& entry) {
  const bool device = entry.type != EntryType::fifo;
  if (device && !is_root()) {
    ++lacks_.devices;
    return;
  }
  clear_the_way(parent_, name_);
  const mode_t type = !device ? S_IFIFO : entry.type == EntryType::block_device ? S_IFBLK : S_IFCHR;
  if (::mknodat(parent_, name_.c_str(), type | 0600, makedev(entry.device_major, entry.device_minor)) != 0) {
    if (errno != EPERM) throw_errno("make device " + name_);
    ++lacks_.devices;
    return;
  }
  apply_to_node(entry);
}

bool TreeWriter::give_owner(int fd, const Entry& entry) {
  if (::fchownat(fd, "", entry.uid, entry.gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0) return true;
  if (errno != EPERM && errno != EINVAL) throw_errno("set the owner of " + entry.path);
  ++lacks_.owners;
  return false;
}

// The owner first: that takes set-id bits and capabilities away. Then the mode, and the attributes, lists of access
// among them, which the mode would change; times last.
void TreeWriter::apply(int fd, const Entry& entry) {
  const bool owned = give_owner(fd, entry);
  if (::fchmod(fd, mode_of(entry, owned)) != 0) throw_errno("set the mode of " + entry.path);
  for (const auto& one : entry.xattrs)
    if (::fsetxattr(fd, one.name.c_str(), one.value.data(), one.value.size(), 0) != 0) ++lacks_.attributes;
  const auto times = times_of(entry);
  if (::futimens(fd, times.data()) != 0) throw_errno("set the times of " + entry.path);
}

// As apply(), for what cannot be opened: links and devices.
void TreeWriter::apply_to_node(const Entry& entry) {
  const UniqueFd node(::openat(parent_, name_.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!node) throw_errno("look at " + name_);
  const bool owned = give_owner(node.get(), entry);
  const std::string path = by_descriptor(node);
  if (entry.type != EntryType::symlink && ::chmod(path.c_str(), mode_of(entry, owned)) != 0)
    throw_errno("set the mode of " + entry.path);
  for (const auto& one : entry.xattrs)
    if (::setxattr(path.c_str(), one.name.c_str(), one.value.data(), one.value.size(), 0) != 0) ++lacks_.attributes;
  const auto times = times_of(entry);
  if (::utimensat(AT_FDCWD, path.c_str(), times.data(), 0) != 0) throw_errno("set the times of " + entry.path);
}

void TreeWriter::finish() {
  leave(1);
  if (const auto entry = std::exchange(levels_.front().entry, std::nullopt)) apply(levels_.front().fd.get(), *entry);
}

}  // namespace muster::backup
