// The output of a command as a stream that is read: a thread of its own runs the command, which waits where nobody
// reads. What the command says on standard error is kept, as far as it is not too much. One thread reads.
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "backup/area_host.h"
#include "base/bounded_queue.h"
#include "base/bytes.h"

namespace muster::backup {

class CommandStream {
 public:
  // All outlive the stream.
  CommandStream(const base::Context& ctx, AreaHost& host, std::string command, const ssh::InputSource* input);
  CommandStream(const CommandStream&) = delete;
  CommandStream& operator=(const CommandStream&) = delete;
  // Ends the command.
  ~CommandStream();

  // Valid until the next call; empty at the end. Throws what AreaHost::run() threw.
  base::ByteView next();
  // The command has ended; what it printed may still be to be read.
  bool ended() const { return ended_; }
  // After the end: the exit status.
  int finish();
  // Whole lines, in order; after the end. Those beyond a limit are only counted.
  const std::vector<std::string>& messages() const { return messages_; }
  std::uint64_t messages_dropped() const { return dropped_; }

 private:
  class Sink;
  void run();

  const base::Context& outer_;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> forward_;
  AreaHost& host_;
  const std::string command_;
  const ssh::InputSource* input_;
  base::BoundedQueue<std::string> queue_;
  std::string piece_;
  // Written by the thread before the queue is closed.
  std::vector<std::string> messages_;
  std::uint64_t dropped_ = 0;
  int status_ = -1;
  std::atomic<bool> ended_ = false;
  std::exception_ptr failure_;
  std::jthread thread_;
};

}  // namespace muster::backup
