#include "cli/backup_progress.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/quantity.h"
#include "cli/json_lines.h"
#include "cli/size_text.h"
#include "cli/terminal_text.h"

namespace muster::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kStep = 1s;
constexpr int kStepsPerMessage = 5;
// Rates are over so many steps: what was quick or slow at the beginning says little later.
constexpr std::size_t kWindow = 15;

}  // namespace

std::string progress_text(const std::string& what, const ProgressSample& before, const ProgressSample& now) {
  const std::uint64_t total = std::max(now.total_bytes, now.done_bytes);
  if (total == 0) return what;
  std::string text =
      fmt::format("{}: {} of {} ({}%)", what, size_text(now.done_bytes), size_text(total),
                  static_cast<int>(100.0 * static_cast<double>(now.done_bytes) / static_cast<double>(total)));
  const double seconds = std::chrono::duration<double>(now.at - before.at).count();
  // A verb that begins anew counts from 0 again.
  if (seconds <= 0 || now.done_bytes <= before.done_bytes) return text;
  const double rate = static_cast<double>(now.done_bytes - before.done_bytes) / seconds;
  const auto left = std::chrono::seconds(static_cast<std::int64_t>(static_cast<double>(total - now.done_bytes) / rate));
  return fmt::format("{}, {}/s, {} left", text, size_text(static_cast<std::uint64_t>(rate)),
                     base::format_duration(left));
}

BackupProgress::BackupProgress(const Program& program, std::string what, const backup::Progress& progress)
    : program_(program), what_(std::move(what)), progress_(progress) {
  if (program.quiet() && !program.json()) return;
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

BackupProgress::~BackupProgress() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  program_.console.progress("");
}

void BackupProgress::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  for (int step = 1; !wake_.wait_for(lock, stop, kStep, [] { return false; }) && !stop.stop_requested(); ++step) {
    show();
    if (program_.json() && step % kStepsPerMessage == 0) send();
  }
}

void BackupProgress::show() {
  samples_.push_back({std::chrono::steady_clock::now(), progress_.done_bytes, progress_.total_bytes});
  if (samples_.size() > kWindow) samples_.pop_front();
  if (!program_.quiet()) program_.console.progress(visible(progress_text(what_, samples_.front(), samples_.back())));
}

void BackupProgress::send() const {
  const std::uint64_t done = progress_.done_bytes, total = progress_.total_bytes, fresh = progress_.new_bytes;
  program_.console.out(
      json_line("progress", {{"name", what_}, {"bytes_done", done}, {"bytes_total", total}, {"bytes_new", fresh}}));
}

}  // namespace muster::cli
