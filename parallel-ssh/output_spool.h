// What one stream of one host has sent, kept until it is needed: in memory while it is small, then in an unnamed
// temporary file, so that memory does not follow the size of outputs. Belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace muster::ssh {

class OutputSpool {
 public:
  static constexpr std::size_t kMemoryBytes = 64U << 10;

  // `directory` is where spilled bytes go; it must outlive the spool.
  explicit OutputSpool(const std::string& directory) : directory_(&directory) {}

  // Throws base::Error{io, no_space}.
  void append(std::string_view bytes);
  std::uint64_t size_bytes() const { return spilled_bytes_ + memory_.size(); }
  bool empty() const { return size_bytes() == 0; }

  // Calls `take` with the bytes in order, in pieces.
  void read(const std::function<void(std::string_view)>& take) const;
  void clear();

 private:
  const std::string* directory_;
  std::string memory_;  // what is not in the file
  base::UniqueFd file_;
  std::uint64_t spilled_bytes_ = 0;
};

// Temporary file without a name in `directory`. Throws base::Error{io, not_found}.
base::UniqueFd unnamed_file(const std::string& directory);

// Calls `take` with `length` bytes of `fd` from `offset` on, in pieces. Throws base::Error{io}.
void read_range(int fd, std::uint64_t offset, std::uint64_t length, const std::function<void(std::string_view)>& take);

}  // namespace muster::ssh
