// A program under test with a terminal of its own as its three standard streams: prompts, progress, escape sequences,
// and Ctrl-C as the terminal's driver sends it. Not thread-safe.
#pragma once

#include <chrono>
#include <string>

#include <sys/types.h>

#include "base/unique_fd.h"
#include "tests/e2e/muster_process.h"

namespace muster::e2e {

class PtyProcess {
 public:
  // `launch.input` is not used: write() it when the program asks.
  explicit PtyProcess(const Launch& launch);
  PtyProcess(const PtyProcess&) = delete;
  PtyProcess& operator=(const PtyProcess&) = delete;
  ~PtyProcess();

  pid_t pid() const { return pid_; }
  void resize(unsigned short rows, unsigned short columns) const;

  // Everything the terminal was sent, as it was sent.
  const std::string& screen() const { return screen_; }
  // False if it ended or its deadline passed without.
  bool wait_for(const std::string& text);
  // As if typed: "\3" is Ctrl-C.
  void write(const std::string& keys) const;
  // `out` holds the screen.
  Finished finish();

 private:
  // One read at most; false at the end or when the deadline passed.
  bool read_more();

  pid_t pid_ = -1;
  base::UniqueFd terminal_;
  std::string screen_;
  std::chrono::steady_clock::time_point started_, deadline_;
};

}  // namespace muster::e2e
