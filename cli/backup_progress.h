// Shows how far a long verb is: on the terminal once a second, with --json as messages every few seconds. A thread of
// its own does that for as long as the object lives.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "backup/progress.h"
#include "cli/program.h"

namespace muster::cli {

// What is done at one moment.
struct ProgressSample {
  std::chrono::steady_clock::time_point at;
  std::uint64_t done = 0, total = 0;
  backup::Progress::Unit unit = backup::Progress::Unit::bytes;
};

// `1.2G of 10G (12%), 120M/s, 1m10s left`, `12 of 400 packs (3%), 2m left`: rate and time left by what is between the
// two samples, of one pass. Empty where nothing is known. Pure.
std::string progress_text(const ProgressSample& before, const ProgressSample& now);

class BackupProgress {
 public:
  // `what`: the machine, or the work. Both references outlive this.
  BackupProgress(const Program& program, const std::string& what, const backup::Progress& progress);
  // Of one of several at a time: `show` gets the text without `what`, for a terminal, from the thread; nullopt at the
  // end.
  using Show = std::function<void(const std::optional<std::string>& text)>;
  BackupProgress(const Program& program, std::string what, const backup::Progress& progress, Show show);
  BackupProgress(const BackupProgress&) = delete;
  BackupProgress& operator=(const BackupProgress&) = delete;
  ~BackupProgress();

 private:
  void run(const std::stop_token& stop);
  void show();
  void send() const;

  const Program& program_;
  const std::string what_;
  const backup::Progress& progress_;
  const Show show_;
  std::deque<ProgressSample> samples_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

}  // namespace muster::cli
