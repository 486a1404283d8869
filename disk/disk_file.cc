#include "disk/disk_file.h"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/error.h"

namespace muster::disk {
namespace {

using base::Code;
using base::Error;

FileKind kind_of(const std::string& path, mode_t mode) {
  if (S_ISREG(mode)) return FileKind::regular;
  if (S_ISBLK(mode)) return FileKind::block_device;
  throw Error(Code::usage, path + (S_ISDIR(mode) ? " is a directory" : " is no file or block device") +
                               ": name a disk image or a block device");
}

// Opening a FIFO would wait for its other end, opening a tape would wind it.
FileKind kind_before_opening(const std::string& path) {
  struct stat seen {};
  if (::stat(path.c_str(), &seen) != 0) base::throw_errno(path);
  return kind_of(path, seen.st_mode);
}

// A device that is written to must not be mounted or part of another, which O_EXCL tells.
int open_flags(FileKind kind, Access access) {
  constexpr int kAlways = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  if (access == Access::read) return O_RDONLY | kAlways;
  return O_RDWR | kAlways | (kind == FileKind::block_device ? O_EXCL : 0);
}

std::uint64_t device_size(const std::string& path, int fd) {
  std::uint64_t bytes = 0;
  if (::ioctl(fd, BLKGETSIZE64, &bytes) != 0) base::throw_errno("ask for the size of " + path);
  return bytes;
}

// The kernel lets a read-only device be opened for writing, and fails the writes.
void check_device_writable(const std::string& path, int fd) {
  int read_only = 0;
  if (::ioctl(fd, BLKROGET, &read_only) == 0 && read_only != 0) throw Error(Code::io, path + " is a read-only device");
}

// QEMU's permissions (include/block/block-common.h), as bytes of its locks.
constexpr off_t kDoes = 100, kKeepsOthersFrom = 200;
constexpr off_t kRead = 0, kWrite = 1, kResize = 3;

struct flock lock_of(short type, off_t byte) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  return lock;
}

// Locks that another process may have as well.
bool take_shared(int fd, off_t byte) {
  auto lock = lock_of(F_RDLCK, byte);
  return ::fcntl(fd, F_OFD_SETLK, &lock) == 0 || (errno != EAGAIN && errno != EACCES);
}

bool others_hold(int fd, off_t byte) {
  auto lock = lock_of(F_WRLCK, byte);
  return ::fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

[[noreturn]] void throw_busy(const std::string& path) {
  throw Error(Code::busy, path + " is in use, as by a machine that runs from it");
}

}  // namespace

DiskFile open_disk_file(const std::string& path, Access access) {
  base::UniqueFd fd(::open(path.c_str(), open_flags(kind_before_opening(path), access)));
  if (!fd && errno == EBUSY) throw_busy(path);
  if (!fd) base::throw_errno("open " + path);
  struct stat seen {};
  if (::fstat(fd.get(), &seen) != 0) base::throw_errno(path);
  const FileKind kind = kind_of(path, seen.st_mode);
  if (kind == FileKind::block_device && access == Access::write) check_device_writable(path, fd.get());
  const auto size =
      kind == FileKind::block_device ? device_size(path, fd.get()) : static_cast<std::uint64_t>(seen.st_size);
  return {std::move(fd), kind, size};
}

// First the locks, then the look at those of others, as QEMU does: of two that come at once, one is sure to see the
// other.
void lock_as_qemu_does(const DiskFile& file, const std::string& path, Access access) {
  const int fd = file.fd.get();
  for (const off_t byte : {kDoes + kRead, kKeepsOthersFrom + kWrite, kKeepsOthersFrom + kResize})
    if (!take_shared(fd, byte)) throw_busy(path);
  if (access == Access::write && !take_shared(fd, kDoes + kWrite)) throw_busy(path);
  for (const off_t byte : {kDoes + kWrite, kDoes + kResize, kKeepsOthersFrom + kRead})
    if (others_hold(fd, byte)) throw_busy(path);
  if (access == Access::write && others_hold(fd, kKeepsOthersFrom + kWrite)) throw_busy(path);
}

void share_lock_with_writer(const DiskFile& file) {
  for (const off_t byte : {kKeepsOthersFrom + kWrite, kKeepsOthersFrom + kResize}) {
    auto lock = lock_of(F_UNLCK, byte);
    ::fcntl(file.fd.get(), F_OFD_SETLK, &lock);
  }
}

}  // namespace muster::disk
