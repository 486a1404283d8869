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
using Unit = backup::Progress::Unit;

constexpr auto kStep = 1s;
constexpr int kStepsPerMessage = 5;
// Rates are over so many steps: what was quick or slow at the beginning says little later.
constexpr std::size_t kWindow = 15;

const char* name_of(Unit unit) {
  switch (unit) {
    case Unit::bytes:
      return "bytes";
    case Unit::packs:
      return "packs";
    case Unit::chunks:
      return "chunks";
  }
  return "bytes";
}

}  // namespace

std::string progress_text(const ProgressSample& before, const ProgressSample& now) {
  const std::uint64_t total = std::max(now.total, now.done);
  if (total == 0) return "";
  const bool bytes = now.unit == Unit::bytes;
  std::string text = fmt::format("{} of {} ({}%)", bytes ? size_text(now.done) : std::to_string(now.done),
                                 bytes ? size_text(total) : fmt::format("{} {}", total, name_of(now.unit)),
                                 static_cast<int>(100.0 * static_cast<double>(now.done) / static_cast<double>(total)));
  const double seconds = std::chrono::duration<double>(now.at - before.at).count();
  if (seconds <= 0 || now.done <= before.done) return text;
  const double rate = static_cast<double>(now.done - before.done) / seconds;
  if (bytes) text += fmt::format(", {}/s", size_text(static_cast<std::uint64_t>(rate)));
  const auto left = std::chrono::seconds(static_cast<std::int64_t>(static_cast<double>(total - now.done) / rate));
  return fmt::format("{}, {} left", text, base::format_duration(left));
}

BackupProgress::BackupProgress(const Program& program, const std::string& what, const backup::Progress& progress)
    : BackupProgress(program, what, progress, [&program, what](const std::optional<std::string>& text) {
        program.console.progress(text ? visible(what + (text->empty() ? "" : ": " + *text)) : "");
      }) {}

BackupProgress::BackupProgress(const Program& program, std::string what, const backup::Progress& progress, Show show)
    : program_(program), what_(std::move(what)), progress_(progress), show_(std::move(show)) {
  if (program.quiet() && !program.json()) return;
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

BackupProgress::~BackupProgress() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  show_(std::nullopt);
}

void BackupProgress::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  for (int step = 1; !wake_.wait_for(lock, stop, kStep, [] { return false; }) && !stop.stop_requested(); ++step) {
    show();
    if (program_.json() && step % kStepsPerMessage == 0) send();
  }
}

void BackupProgress::show() {
  const ProgressSample now{std::chrono::steady_clock::now(), progress_.done, progress_.total, progress_.unit};
  // Another pass counts from 0 again.
  if (!samples_.empty() && (samples_.back().unit != now.unit || samples_.back().done > now.done)) samples_.clear();
  samples_.push_back(now);
  if (samples_.size() > kWindow) samples_.pop_front();
  if (!program_.quiet()) show_(progress_text(samples_.front(), samples_.back()));
}

void BackupProgress::send() const {
  const std::uint64_t done = progress_.done, total = progress_.total, fresh = progress_.new_bytes;
  if (total == 0) return;  // it is being begun
  const Unit unit = progress_.unit;
  nlohmann::json fields{{"name", what_}};
  if (unit == Unit::bytes)
    fields.update({{"bytes_done", done}, {"bytes_total", total}, {"bytes_new", fresh}});
  else
    fields.update({{"unit", name_of(unit)}, {"done", done}, {"total", total}});
  program_.console.out(json_line("progress", fields));
}

}  // namespace muster::cli
