// Frames over a pair of pipes, both ways at once: a head of text and a body of bytes each. For two processes of ours
// that talk over a pipe or an SSH session. On the wire: the head's length as 32 bits, the body's as 64 bits, both
// little-endian; head; body. Any thread may send; one receives.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/context.h"

namespace muster::base {

struct Frame {
  std::string head;
  Bytes body;
};

class FramedPipe {
 public:
  static constexpr std::size_t kMaxHeadBytes = 16U << 20;
  static constexpr std::uint64_t kMaxBodyBytes = 1U << 30;

  // Of descriptors that outlive it; they are made non-blocking.
  FramedPipe(int in, int out);

  // Waits for the other side to take it, `patience` at most between two bytes. Throws Error{timeout}, Error{io} where
  // nobody reads any more; then the pipe is of no use, and every later call throws too.
  void send(std::string_view head, std::span<const ByteView> body, std::chrono::milliseconds patience);

  // nullopt at the end of the pipe. Throws Error{timeout} where nothing comes for `patience`, Error{cancelled},
  // Error{corrupt} for lengths beyond the limits and for an end within a frame, Error{io}.
  std::optional<Frame> receive(const Context& ctx, std::chrono::milliseconds patience);

 private:
  bool fill(const Context& ctx, MutableBytes into, std::chrono::milliseconds patience);

  const int in_, out_;
  std::mutex sending_;
  bool broken_ = false;
};

}  // namespace muster::base
