#include "parallel-ssh/input_source.h"

#include <algorithm>

#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "parallel-ssh/output_spool.h"

namespace muster::ssh {
namespace {

constexpr std::uint64_t kGivenBackAtOnce = 4U << 20;

}  // namespace

InputSource::InputSource(const std::string& directory, Keeping keeping)
    : file_(unnamed_file(directory)), keeping_(keeping) {}

// Where the file system cannot do that, it takes more room for a while.
void InputSource::give_back(std::uint64_t offset) const {
  read_to_ = offset;
  const std::uint64_t from = given_back_;
  if (offset - from < kGivenBackAtOnce) return;
  ::fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(from),
              static_cast<off_t>(offset - from));
  given_back_ = offset;
}

void InputSource::append(std::string_view bytes) {
  base::write_all(file_.get(), bytes);
  size_bytes_.fetch_add(bytes.size(), std::memory_order_release);
}

void InputSource::fail(const base::Error& why) {
  failure_ = why;
  failed_.store(true, std::memory_order_release);
}

std::string InputSource::read(std::uint64_t offset, std::size_t room) const {
  if (keeping_ == Keeping::unread) give_back(offset);
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
