#include "base/unique_fd.h"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/error.h"

namespace muster::base {

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void UniqueFd::reset() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("make a pipe");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

void set_nonblocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) throw_errno("set a descriptor non-blocking");
}

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      pollfd p{.fd = fd, .events = POLLOUT, .revents = 0};
      ::poll(&p, 1, -1);
    } else if (errno != EINTR) {
      throw_errno("write");
    }
  }
}

void read_pieces(int fd, std::chrono::milliseconds patience, const std::function<void(std::string_view)>& take) {
  const auto end = std::chrono::steady_clock::now() + patience;
  std::array<char, 65536> piece{};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
    pollfd p{.fd = fd, .events = POLLIN, .revents = 0};
    if (left <= 0 || ::poll(&p, 1, static_cast<int>(left)) == 0) throw Error(Code::timeout, "read from a pipe");
    const ssize_t n = ::read(fd, piece.data(), piece.size());
    if (n == 0) return;
    if (n < 0 && errno != EAGAIN && errno != EINTR) throw_errno("read from a pipe");
    if (n > 0) take({piece.data(), static_cast<std::size_t>(n)});
  }
}

std::string read_to_end(int fd, std::chrono::milliseconds patience) {
  std::string text;
  read_pieces(fd, patience, [&](std::string_view piece) { text += piece; });
  return text;
}

std::string read_file(const std::string& path, std::size_t limit_bytes) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw_errno(path);
  std::string text;
  std::array<char, 65536> piece{};
  for (;;) {
    const ssize_t n = ::read(fd.get(), piece.data(), piece.size());
    if (n == 0) return text;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno(path);
    text.append(piece.data(), static_cast<std::size_t>(n));
    if (text.size() > limit_bytes)
      throw Error(Code::usage, path + ": larger than the limit of " + std::to_string(limit_bytes) + " bytes");
  }
}

}  // namespace muster::base
