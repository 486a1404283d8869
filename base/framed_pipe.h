// Frames over a pair of pipes, both ways at once: a head of text and a body of bytes each. For two processes of ours
// that talk over a pipe or an SSH session. On the wire: the head's length as 32 bits, the body's as 64 bits, both
// little-endian; head; body. Any thread may send; one receives.
#pragma once

#include <array>
#include <atomic>
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
  // Of what comes; memory is taken as bytes come, and not by what they announce.
  struct Limits {
    std::size_t head_bytes = 16U << 20;
    std::uint64_t body_bytes = 1U << 30;
  };

  // Of descriptors that outlive it; they are made non-blocking.
  FramedPipe(int in, int out) : FramedPipe(in, out, Limits{}) {}
  FramedPipe(int in, int out, const Limits& limits);

  // Waits for the other side to take it, `patience` at most between two bytes. Throws Error{timeout}, Error{io} where
  // nobody reads any more; then the pipe is of no use, and every later call throws too.
  void send(std::string_view head, std::span<const ByteView> body, std::chrono::milliseconds patience);

  // nullopt at the end of the pipe. Throws Error{timeout} where nothing comes for `patience`, Error{cancelled}: what
  // has come of a frame by then is kept for the next call; Error{corrupt} for lengths beyond the limits and for an end
  // within a frame, Error{io}.
  std::optional<Frame> receive(const Context& ctx, std::chrono::milliseconds patience);

  // Sends that are under way, and all later ones, throw soon. Before the descriptors are closed.
  void abandon() { abandoned_ = true; }

 private:
  void write(ByteView bytes, std::chrono::milliseconds patience);
  bool fill(const Context& ctx, MutableBytes into, std::size_t& got, std::chrono::milliseconds patience);
  void begin_frame();

  static constexpr std::size_t kHeaderBytes = 12;

  const int in_, out_;
  const Limits limits_;
  std::mutex sending_;
  std::atomic<bool> abandoned_ = false;
  bool broken_ = false;
  // Of the frame that is coming.
  std::array<std::byte, kHeaderBytes> header_{};
  std::size_t header_got_ = 0, head_got_ = 0, body_got_ = 0;
  std::uint64_t body_bytes_ = 0;
  Frame frame_;
};

}  // namespace muster::base
