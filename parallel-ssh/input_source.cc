#include "parallel-ssh/input_source.h"

#include <algorithm>

#include <unistd.h>

#include "base/error.h"
#include "parallel-ssh/output_spool.h"

namespace muster::ssh {

InputSource::InputSource(const std::string& directory) : file_(unnamed_file(directory)) {}

void InputSource::append(std::string_view bytes) {
  base::write_all(file_.get(), bytes);
  size_bytes_.fetch_add(bytes.size(), std::memory_order_release);
}

void InputSource::fail(const base::Error& why) {
  failure_ = why;
  failed_.store(true, std::memory_order_release);
}

std::string InputSource::read(std::uint64_t offset, std::size_t room) const {
  const bool failed = failed_.load(std::memory_order_acquire);
  const std::uint64_t size = size_bytes_.load(std::memory_order_acquire);
  if (offset >= size && failed) throw *failure_;
  if (offset >= size) return {};
  std::string piece(static_cast<std::size_t>(std::min<std::uint64_t>(room, size - offset)), '\0');
  const ssize_t n = ::pread(file_.get(), piece.data(), piece.size(), static_cast<off_t>(offset));
  if (n <= 0) base::throw_errno("read the input to send");
  piece.resize(static_cast<std::size_t>(n));
  return piece;
}

}  // namespace muster::ssh
