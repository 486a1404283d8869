#include "backup/file_calls.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/unique_fd.h"

namespace muster::backup {
namespace {

using base::Code;
using base::UniqueFd;

constexpr std::uint64_t kMaxFileBytes = std::numeric_limits<off_t>::max();
// Of one read.
constexpr std::size_t kLargeRead = 1U << 20;

// Absence is an answer where it is expected; where it is not, it is trouble like any other.
[[noreturn]] void fail(const char* action, const std::string& path) {
  const std::string what = std::string(action) + ' ' + path;
  if (errno == ENOENT) throw base::Error(Code::io, what + ": " + base::errno_text(errno));
  base::throw_errno(what);
}

// ENOTDIR: something on the way is an object. ELOOP: O_NOFOLLOW met a link.
bool is_absence() { return errno == ENOENT || errno == ENOTDIR || errno == ELOOP; }

template <typename Call>
auto again_if_interrupted(Call call) {
  for (;;)
    if (const auto result = call(); result >= 0 || errno != EINTR) return result;
}

UniqueFd open_fd(const std::string& path, int flags) {
  return UniqueFd(again_if_interrupted([&] { return ::open(path.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, 0600); }));
}

FileState state_of(const struct stat& seen) {
  return {.kind = S_ISREG(seen.st_mode)   ? FileState::Kind::file
                  : S_ISDIR(seen.st_mode) ? FileState::Kind::directory
                                          : FileState::Kind::other,
          .size_bytes = static_cast<std::uint64_t>(seen.st_size),
          .modified = std::chrono::sys_seconds(std::chrono::seconds(seen.st_mtim.tv_sec))};
}

class SystemFile : public OpenFile {
 public:
  SystemFile(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  void write(base::ByteView bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = again_if_interrupted([&] { return ::write(fd_.get(), bytes.data(), bytes.size()); });
      if (n < 0) fail("write", path_);
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
  }

  void sync() override {
    if (again_if_interrupted([&] { return ::fsync(fd_.get()); }) != 0) fail("sync", path_);
  }

  std::size_t read_at(std::uint64_t offset, base::MutableBytes into) override {
    // No file reaches that far, and pread() calls it an error.
    if (offset > kMaxFileBytes - std::min<std::uint64_t>(into.size(), kMaxFileBytes)) return 0;
    // Whoever reads that much goes on behind it: disks fetch it meanwhile.
    if (into.size() >= kLargeRead)
      ::posix_fadvise(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(2 * into.size()), POSIX_FADV_WILLNEED);
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t n = again_if_interrupted([&] {
        return ::pread(fd_.get(), into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
      });
      if (n < 0) fail("read", path_);
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  FileState state() override {
    struct stat seen {};
    if (::fstat(fd_.get(), &seen) != 0) fail("look at", path_);
    return state_of(seen);
  }

  bool try_lock() override { return ::flock(fd_.get(), LOCK_EX | LOCK_NB) == 0; }

 private:
  UniqueFd fd_;
  std::string path_;
};

bool are_one_file(const std::string& one, const std::string& other) {
  struct stat first {
  }, second{};
  return ::lstat(one.c_str(), &first) == 0 && ::lstat(other.c_str(), &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

// What NFS and some others have instead of RENAME_NOREPLACE. Killed in between, it leaves the file under both names.
bool link_new(const std::string& from, const std::string& to) {
  // A server whose first reply was lost says EEXIST for what it did itself.
  if (::link(from.c_str(), to.c_str()) != 0 && !(errno == EEXIST && are_one_file(from, to))) {
    if (errno == EEXIST) return false;
    fail("link to", to);
  }
  ::unlink(from.c_str());
  return true;
}

class SystemFileCalls : public FileCalls {
 public:
  std::unique_ptr<OpenFile> create(const std::string& path) override {
    UniqueFd fd = open_fd(path, O_WRONLY | O_CREAT | O_EXCL);
    if (!fd && errno == ENOENT) return nullptr;
    if (!fd) fail("create", path);
    return std::make_unique<SystemFile>(std::move(fd), path);
  }

  std::unique_ptr<OpenFile> open(const std::string& path, Access access) override {
    // O_NONBLOCK: a pipe in a file's place does not hold up.
    UniqueFd fd = open_fd(path, (access == Access::read ? O_RDONLY : O_RDWR) | O_NONBLOCK);
    if (!fd && (is_absence() || errno == EISDIR || errno == ENXIO)) return nullptr;
    if (!fd) fail("open", path);
    auto file = std::make_unique<SystemFile>(std::move(fd), path);
    if (file->state().kind != FileState::Kind::file) return nullptr;
    return file;
  }

  std::optional<FileState> stat(const std::string& path) override {
    struct stat seen {};
    if (::lstat(path.c_str(), &seen) == 0) return state_of(seen);
    if (!is_absence()) fail("look at", path);
    return std::nullopt;
  }

  bool rename_new(const std::string& from, const std::string& to) override {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return true;
    if (errno == EINVAL || errno == ENOSYS) return link_new(from, to);
    if (errno != EEXIST) fail("rename to", to);
    return false;
  }

  bool unlink(const std::string& path) override {
    if (::unlink(path.c_str()) == 0) return true;
    if (!is_absence() && errno != EISDIR) fail("remove", path);
    return false;
  }

  bool make_directory(const std::string& path) override {
    if (::mkdir(path.c_str(), 0700) == 0) return true;
    if (errno != EEXIST) fail("make directory", path);
    return false;
  }

  void sync_directory(const std::string& path) override {
    const UniqueFd directory = open_fd(path, O_RDONLY | O_DIRECTORY);
    if (!directory) fail("open directory", path);
    // EINVAL: this file system has no such operation, so there is nothing better than what it does by itself.
    if (again_if_interrupted([&] { return ::fsync(directory.get()); }) != 0 && errno != EINVAL)
      fail("sync directory", path);
  }

  std::vector<std::string> list_directory(const std::string& path) override {
    UniqueFd fd = open_fd(path, O_RDONLY | O_DIRECTORY);
    if (!fd && is_absence()) return {};
    if (!fd) fail("list", path);
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(fd.get()), ::closedir);
    if (!directory) fail("list", path);
    fd.release();
    return names_in(directory.get(), path);
  }

 private:
  static std::vector<std::string> names_in(DIR* directory, const std::string& path) {
    std::vector<std::string> names;
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(directory);  // NOLINT(concurrency-mt-unsafe): the directory is one thread's
      if (entry == nullptr && errno != 0) fail("list", path);
      if (entry == nullptr) return names;
      if (const std::string name = entry->d_name; name != "." && name != "..") names.push_back(name);
    }
  }
};

}  // namespace

FileCalls& system_file_calls() {
  static SystemFileCalls calls;
  return calls;
}

}  // namespace muster::backup
