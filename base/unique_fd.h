// Sole owner of a file descriptor, and the few system calls everyone needs with their errors as Error.
// Not thread-safe; the descriptor itself is as the kernel makes it.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace muster::base {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset() noexcept;

 private:
  int fd_ = -1;
};

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

// All descriptors are made close-on-exec. Throws Error{io}.
Pipe make_pipe();
void set_nonblocking(int fd);

// Writes all of `bytes`, waiting where the descriptor is non-blocking. Throws Error{io, no_space}.
void write_all(int fd, std::string_view bytes);

// Calls `take` with what comes from a pipe until its end. Throws Error{timeout} when that takes longer than `patience`,
// Error{io}, and what `take` throws.
void read_pieces(int fd, std::chrono::milliseconds patience, const std::function<void(std::string_view)>& take);

// What comes from a pipe until its end. Throws Error{timeout} when that takes longer than `patience`, Error{io}.
std::string read_to_end(int fd, std::chrono::milliseconds patience);

// The whole file as text. Throws Error{not_found, io}; Error{usage} when it is larger than `limit_bytes`.
std::string read_file(const std::string& path, std::size_t limit_bytes);

}  // namespace muster::base
