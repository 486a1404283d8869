// A program under test: arguments in, streams and exit status out, always within a deadline. Its environment is empty
// but for PATH and what the test adds, so that no machine's settings reach it. Not thread-safe.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/child_process.h"

namespace muster::e2e {

struct Launch {
  std::vector<std::string> argv;
  std::vector<std::string> environment = {};  // NAME=value
  std::string input = {};                     // all of standard input, then end of file
  std::chrono::seconds deadline{60};          // from the start; then it is killed
};

struct Finished {
  int code = -1;   // exit status, -1 if a signal ended it
  int signal = 0;  // the signal, or 0
  bool late = false;
  std::string out = {};
  std::string err = {};
  std::chrono::milliseconds took{0};
};

class MusterProcess {
 public:
  explicit MusterProcess(const Launch& launch);

  pid_t pid() const { return child_->pid(); }
  const std::string& out() const { return out_; }
  const std::string& err() const { return err_; }
  // Waits until either stream holds `text`. False if it ended or its deadline passed without.
  bool wait_for(const std::string& text);
  // The same for standard error alone, from its byte `from` on.
  bool wait_for_error(const std::string& text, std::size_t from = 0);
  // To the process group, as a terminal sends it.
  void signal(int number) const { child_->signal(number); }
  // Waits for the end, or kills at the deadline.
  Finished finish();

 private:
  bool pump_until(const std::function<bool()>& done);
  void write_input();
  bool streams_open() const;

  std::unique_ptr<base::ChildProcess> child_;
  std::string input_, out_, err_;
  std::chrono::steady_clock::time_point started_, deadline_;
};

// Starts and finishes.
Finished run(const Launch& launch);

// `argv` behind an environment of PATH and `environment` alone.
std::vector<std::string> in_clean_environment(const std::vector<std::string>& argv,
                                              const std::vector<std::string>& environment);

}  // namespace muster::e2e
