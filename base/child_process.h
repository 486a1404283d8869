// One child process with pipes on its three standard streams. The child gets default signal handling, no descriptors
// but these, and its own process group, so that what it starts can be ended with it. Not thread-safe.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/unique_fd.h"

namespace muster::base {

struct ExitStatus {
  int code = -1;   // what it exited with; -1 if a signal ended it
  int signal = 0;  // the signal that ended it, or 0
};

class ChildProcess {
 public:
  struct Options {
    // Added to the parent's environment, as NAME=value.
    std::vector<std::string> environment;
  };

  // Starts `argv[0]`, searched in PATH. Throws Error{not_found} if there is no such program, Error{io} otherwise.
  explicit ChildProcess(const std::vector<std::string>& argv) : ChildProcess(argv, Options{}) {}
  ChildProcess(const std::vector<std::string>& argv, const Options& options);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  // Kills the process group and reaps, if wait() has not.
  ~ChildProcess();

  // Parent's ends, non-blocking. reset() the first to give the child its end of file.
  UniqueFd& standard_input() { return stdin_; }
  UniqueFd& standard_output() { return stdout_; }
  UniqueFd& standard_error() { return stderr_; }
  pid_t pid() const { return pid_; }

  // Readable (poll) once the process has ended.
  int ended_fd() const { return pidfd_.get(); }
  void signal(int signal_number) const;
  // Reaps within `patience`, else kills the group and reaps.
  ExitStatus wait(std::chrono::milliseconds patience);

 private:
  pid_t pid_ = -1;
  UniqueFd stdin_, stdout_, stderr_, pidfd_;
  std::optional<ExitStatus> status_;
};

}  // namespace muster::base
