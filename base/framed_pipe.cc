#include "base/framed_pipe.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <poll.h>
#include <unistd.h>

#include "base/error.h"
#include "base/unique_fd.h"

namespace muster::base {
namespace {

// How soon a stop is seen.
constexpr milliseconds kTick{100};
// By how much a body grows before its bytes come.
constexpr std::size_t kStepBytes = 1U << 20;

constexpr const char* kBroken = "the other side ended in the middle of what it sent";

}  // namespace

FramedPipe::FramedPipe(int in, int out, const Limits& limits) : in_(in), out_(out), limits_(limits) {
  set_nonblocking(in);
  set_nonblocking(out);
}

void FramedPipe::write(ByteView bytes, milliseconds patience) {
  auto deadline = Clock::now() + patience;
  while (!bytes.empty()) {
    if (abandoned_) throw Error(Code::io, "it was given up");
    const ssize_t n = ::write(out_, bytes.data(), bytes.size());
    if (n >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(n));
      deadline = Clock::now() + patience;
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) throw_errno("write to the other side");
    pollfd p{.fd = out_, .events = POLLOUT, .revents = 0};
    if (::poll(&p, 1, static_cast<int>(kTick.count())) == 0 && Clock::now() >= deadline)
      throw Error(Code::timeout, "the other side takes nothing");
  }
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
    write(header, patience);
    for (const auto& piece : body) write(piece, patience);
  } catch (const Error&) {
    broken_ = true;  // half a frame may have gone
    throw;
  }
}

void FramedPipe::begin_frame() {
  ByteReader reader(header_, "a frame");
  const std::size_t head_bytes = reader.u32();
  body_bytes_ = reader.u64();
  if (head_bytes > limits_.head_bytes || body_bytes_ > limits_.body_bytes)
    throw Error(Code::corrupt, "what the other side sends is not understood");
  frame_.head.assign(head_bytes, '\0');
}

std::optional<Frame> FramedPipe::receive(const Context& ctx, milliseconds patience) {
  if (header_got_ < kHeaderBytes) {
    if (!fill(ctx, header_, header_got_, patience)) {
      if (header_got_ == 0) return std::nullopt;
      throw Error(Code::corrupt, kBroken);
    }
    begin_frame();
  }
  if (!fill(ctx, std::as_writable_bytes(std::span(frame_.head)), head_got_, patience))
    throw Error(Code::corrupt, kBroken);
  while (body_got_ < body_bytes_) {
    if (body_got_ == frame_.body.size())
      frame_.body.resize(static_cast<std::size_t>(std::min<std::uint64_t>(body_bytes_, body_got_ + kStepBytes)));
    if (!fill(ctx, frame_.body, body_got_, patience)) throw Error(Code::corrupt, kBroken);
  }
  header_got_ = head_got_ = body_got_ = 0;
  return std::exchange(frame_, {});
}

// Until `into` is full, from its byte `got` on; false at the end of the pipe.
bool FramedPipe::fill(const Context& ctx, MutableBytes into, std::size_t& got, milliseconds patience) {
  auto deadline = Clock::now() + patience;
  while (got < into.size()) {
    ctx.check_stop();
    pollfd p{.fd = in_, .events = POLLIN, .revents = 0};
    if (::poll(&p, 1, static_cast<int>(kTick.count())) == 0) {
      if (Clock::now() >= deadline) throw Error(Code::timeout, "nothing comes from the other side");
      continue;
    }
    const ssize_t n = ::read(in_, into.data() + got, into.size() - got);
    if (n == 0) return false;
    if (n < 0 && errno != EAGAIN && errno != EINTR) throw_errno("read from the other side");
    if (n <= 0) continue;
    got += static_cast<std::size_t>(n);
    deadline = Clock::now() + patience;
  }
  return true;
}

}  // namespace muster::base
