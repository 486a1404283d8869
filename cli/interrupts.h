// Turns signals into two stop requests. SIGINT: the first drains (no new hosts), the second aborts (what runs is
// ended), the third exits at once. SIGTERM and SIGHUP do the first two together. Made in main before any other thread.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

#include <signal.h>

namespace muster::cli {

class Interrupts {
 public:
  // Blocks the signals in this thread, and so in all that are made later; SIGINT and SIGHUP not where they were ignored
  // from the start. SIGPIPE is ignored from now on.
  Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;
  ~Interrupts();

  std::stop_token drain() const { return drain_.get_token(); }
  std::stop_token abort() const { return abort_.get_token(); }
  bool interrupted() const { return signalled_; }

  // Both stops, without a signal: the output has nowhere to go.
  void give_up();

  // Called in the signal thread on the first and on the second SIGINT, after the stop; must not wait, or the third goes
  // unheard.
  void on_interrupt(std::function<void(int count)> callback);

 private:
  void listen(const std::stop_token& stop);

  sigset_t signals_{};
  std::stop_source drain_, abort_;
  std::atomic<bool> signalled_ = false;
  std::mutex mutex_;
  std::function<void(int)> callback_;
  std::jthread thread_;
};

}  // namespace muster::cli
