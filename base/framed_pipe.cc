#include "base/framed_pipe.h"

#include <array>
#include <cerrno>

#include <poll.h>
#include <unistd.h>

#include "base/error.h"
#include "base/unique_fd.h"

namespace muster::base {
namespace {

// How soon a stop is seen.
constexpr milliseconds kTick{100};
constexpr std::size_t kHeaderBytes = 12;

void write_bytes(int fd, ByteView bytes, milliseconds patience) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(n));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) throw_errno("write to the other side");
    pollfd p{.fd = fd, .events = POLLOUT, .revents = 0};
    if (::poll(&p, 1, static_cast<int>(patience.count())) == 0)
      throw Error(Code::timeout, "the other side takes nothing");
  }
}

}  // namespace

FramedPipe::FramedPipe(int in, int out) : in_(in), out_(out) {
  set_nonblocking(in);
  set_nonblocking(out);
}

void FramedPipe::send(std::string_view head, std::span<const ByteView> body, milliseconds patience) {
  std::uint64_t body_bytes = 0;
  for (const auto& piece : body) body_bytes += piece.size();
  Bytes header;
  ByteWriter writer(header);
  writer.u32(static_cast<std::uint32_t>(head.size()));
  writer.u64(body_bytes);
  writer.raw(as_bytes(head));
  const std::lock_guard lock(sending_);
  if (broken_) throw Error(Code::io, "the other side is gone");
  try {
    write_bytes(out_, header, patience);
    for (const auto& piece : body) write_bytes(out_, piece, patience);
  } catch (const Error&) {
    broken_ = true;  // half a frame may have gone
    throw;
  }
}

std::optional<Frame> FramedPipe::receive(const Context& ctx, milliseconds patience) {
  std::array<std::byte, kHeaderBytes> header{};
  if (!fill(ctx, header, patience)) return std::nullopt;
  ByteReader reader(header, "a frame");
  const std::size_t head_bytes = reader.u32();
  const std::uint64_t body_bytes = reader.u64();
  if (head_bytes > kMaxHeadBytes || body_bytes > kMaxBodyBytes)
    throw Error(Code::corrupt, "what the other side sends is not understood");
  Frame frame{.head = std::string(head_bytes, '\0'), .body = Bytes(body_bytes)};
  const bool whole = (head_bytes == 0 || fill(ctx, std::as_writable_bytes(std::span(frame.head)), patience)) &&
                     (body_bytes == 0 || fill(ctx, frame.body, patience));
  if (!whole) throw Error(Code::corrupt, "the other side ended in the middle of what it sent");
  return frame;
}

// False where the pipe ends before the first byte.
bool FramedPipe::fill(const Context& ctx, MutableBytes into, milliseconds patience) {
  bool any = false;
  auto deadline = Clock::now() + patience;
  while (!into.empty()) {
    ctx.check_stop();
    pollfd p{.fd = in_, .events = POLLIN, .revents = 0};
    if (::poll(&p, 1, static_cast<int>(kTick.count())) == 0) {
      if (Clock::now() >= deadline) throw Error(Code::timeout, "nothing comes from the other side");
      continue;
    }
    const ssize_t n = ::read(in_, into.data(), into.size());
    if (n == 0 && !any) return false;
    if (n == 0) throw Error(Code::corrupt, "the other side ended in the middle of what it sent");
    if (n < 0 && errno != EAGAIN && errno != EINTR) throw_errno("read from the other side");
    if (n <= 0) continue;
    any = true;
    into = into.subspan(static_cast<std::size_t>(n));
    deadline = Clock::now() + patience;
  }
  return true;
}

}  // namespace muster::base
