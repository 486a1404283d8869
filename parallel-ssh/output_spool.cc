#include "parallel-ssh/output_spool.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"

namespace muster::ssh {

base::UniqueFd unnamed_file(const std::string& directory) {
  base::UniqueFd file(::open(directory.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
  if (file) return file;
  // Not every file system has unnamed files.
  std::string name = directory + "/muster-XXXXXX";
  file = base::UniqueFd(::mkostemp(name.data(), O_CLOEXEC));
  if (!file) base::throw_errno("create a temporary file in " + directory);
  ::unlink(name.c_str());
  return file;
}

void read_range(int fd, std::uint64_t offset, std::uint64_t length, const std::function<void(std::string_view)>& take) {
  std::array<char, 16384> piece{};
  while (length > 0) {
    const ssize_t n =
        ::pread(fd, piece.data(), std::min<std::uint64_t>(piece.size(), length), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) base::throw_errno("read spilled output");
    take({piece.data(), static_cast<std::size_t>(n)});
    offset += static_cast<std::uint64_t>(n);
    length -= static_cast<std::uint64_t>(n);
  }
}

void OutputSpool::append(std::string_view bytes) {
  memory_ += bytes;
  if (memory_.size() <= kMemoryBytes) return;
  if (!file_) file_ = unnamed_file(*directory_);
  base::write_all(file_.get(), memory_);
  spilled_bytes_ += memory_.size();
  memory_.clear();
}

void OutputSpool::read(const std::function<void(std::string_view)>& take) const {
  if (spilled_bytes_ > 0) read_range(file_.get(), 0, spilled_bytes_, take);
  if (!memory_.empty()) take(memory_);
}

void OutputSpool::clear() {
  memory_.clear();
  memory_.shrink_to_fit();
  file_.reset();
  spilled_bytes_ = 0;
}

}  // namespace muster::ssh
