#include "disk/file_copy.h"

#include <algorithm>
#include <cerrno>
#include <vector>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/unique_fd.h"
#include "disk/new_file.h"

namespace muster::disk {
namespace {

using base::Code;
using base::Error;

// Between two looks at the stop.
constexpr off_t kStretchBytes = 64 << 20;
constexpr std::size_t kBufferBytes = 1U << 20;

base::UniqueFd open_to_read(const std::string& path) {
  base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) base::throw_errno("open " + path);
  return fd;
}

// Through this process.
void carry(int from, int to, off_t begin, off_t end, const std::string& what) {
  std::vector<char> buffer(kBufferBytes);
  for (off_t at = begin; at < end;) {
    const auto wanted = std::min(buffer.size(), static_cast<std::size_t>(end - at));
    const ssize_t got = ::pread(from, buffer.data(), wanted, at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) base::throw_errno(what);
    if (got == 0) throw Error(Code::io, what + ": it became shorter while it was read");
    for (ssize_t written = 0; written < got;) {
      const ssize_t n = ::pwrite(to, buffer.data() + written, static_cast<std::size_t>(got - written),
                                 at + static_cast<off_t>(written));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) base::throw_errno(what);
      written += n;
    }
    at += got;
  }
}

// Linux copies between file systems of one kind only, and some cannot at all: copy_file_range(2).
bool cannot_copy(int error) { return error == EXDEV || error == EOPNOTSUPP || error == ENOSYS; }

void copy_stretch(int from, int to, off_t begin, off_t end, const std::string& what) {
  off_t read_at = begin, write_at = begin;
  while (read_at < end) {
    const ssize_t copied = ::copy_file_range(from, &read_at, to, &write_at, static_cast<std::size_t>(end - read_at), 0);
    if (copied < 0 && errno == EINTR) continue;
    if (copied < 0 && cannot_copy(errno)) return carry(from, to, read_at, end, what);
    if (copied < 0) base::throw_errno(what);
    if (copied == 0) throw Error(Code::io, what + ": it became shorter while it was read");
  }
}

void copy_data(const base::Context& ctx, int from, int to, off_t size, const std::string& what) {
  if (::ftruncate(to, size) != 0) base::throw_errno(what);
  for (off_t at = 0; at < size;) {
    const off_t data = ::lseek(from, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) return;
    if (data < 0) base::throw_errno(what);
    const off_t hole = ::lseek(from, data, SEEK_HOLE);
    if (hole < 0) base::throw_errno(what);
    for (at = data; at < hole; at = std::min(at + kStretchBytes, hole)) {
      ctx.check_stop();
      copy_stretch(from, to, at, std::min(at + kStretchBytes, hole), what);
    }
  }
}

}  // namespace

void copy_file(const base::Context& ctx, const std::string& from, const std::string& to, Sharing sharing) {
  const std::string what = "copy " + from + " to " + to;
  const auto source = open_to_read(from);
  NewFile copy(to);
  if (::ioctl(copy.fd(), FICLONE, source.get()) != 0) {
    if (sharing == Sharing::required)
      throw Error(Code::unsupported, to + " cannot share blocks with " + from + ": " + base::errno_text(errno));
    struct stat facts {};
    if (::fstat(source.get(), &facts) != 0) base::throw_errno(what);
    copy_data(ctx, source.get(), copy.fd(), facts.st_size, what);
  }
  copy.keep();
}

bool can_share_blocks(const std::string& file, const std::string& directory) {
  const base::UniqueFd source(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  const base::UniqueFd trial(::open(directory.c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600));
  return source.get() >= 0 && trial.get() >= 0 && ::ioctl(trial.get(), FICLONE, source.get()) == 0;
}

}  // namespace muster::disk
