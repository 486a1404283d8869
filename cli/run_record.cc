#include "cli/run_record.h"

#include <condition_variable>

#include <fmt/format.h>

#include "base/quantity.h"
#include "cli/terminal_text.h"
#include "inventory/name_folding.h"

namespace muster::cli {
namespace {

using ssh::HostReport;
using ssh::HostState;

constexpr std::chrono::milliseconds kRefresh{200};
constexpr std::size_t kStragglersShown = 3;
constexpr int kNoStatus = 255;

std::string reason(const HostReport& report) {
  if (!report.error.empty()) return report.error;
  if (report.status) return fmt::format("exit status {}", *report.status);
  return "";
}

}  // namespace

class RunRecord::Host : public ssh::HostOutput {
 public:
  explicit Host(RunRecord& record) : record_(record) {}
  void output(ssh::Stream, std::string_view) override {}
  void finished(const HostReport& report) override { record_.finished(report); }

 private:
  RunRecord& record_;
};

RunRecord::RunRecord(Console& console, const HostNames& names, Telling telling, const Noun& noun)
    : console_(console), names_(names), telling_(telling), noun_(noun), states_(names.size()) {
  if (!chatty() || !console_.error_is_terminal()) return;
  ticker_ = std::jthread([this](const std::stop_token& stop) {
    std::mutex idle;
    std::condition_variable_any wake;
    while (!stop.stop_requested()) {
      std::unique_lock lock(idle);
      wake.wait_for(lock, stop, kRefresh, [] { return false; });
      refresh_progress();
    }
  });
}

std::unique_ptr<ssh::HostOutput> RunRecord::started(std::size_t host) {
  const std::lock_guard lock(mutex_);
  running_[host];
  return std::make_unique<Host>(*this);
}

void RunRecord::skipped(const HostReport& report) {
  // One that failed although nothing ran: its output could not be made, or not be kept.
  if (report.state != HostState::skipped) return finished(report);
  // Hosts that were never started are named together at the end.
  const std::lock_guard lock(mutex_);
  states_[report.host] = report.state;
  largest_status_ = std::max(largest_status_, kNoStatus);
}

void RunRecord::finished(const HostReport& report) {
  {
    const std::lock_guard lock(mutex_);
    running_.erase(report.host);
    states_[report.host] = report.state;
    ++done_;
    if (report.state != HostState::ok) ++not_ok_;
    largest_status_ = std::max(largest_status_, report.status.value_or(kNoStatus));
  }
  tell(report);
}

void RunRecord::tell(const HostReport& report) {
  if (telling_ == Telling::nothing || console_.reader_gone()) return;
  const std::string& name = names_[report.host];
  if (report.state == HostState::ok && telling_ == Telling::each_host)
    console_.err(fmt::format("{}: ok in {}\n", name, base::format_duration(report.duration)));
  if (report.state != HostState::ok)
    console_.err(fmt::format("{}: {}: {}\n", name, ssh::name_of(report.state), visible(reason(report))));
  if (!report.note.empty() && chatty()) console_.err(fmt::format("{}: note: {}\n", name, visible(report.note)));
}

void RunRecord::at_work(std::size_t host, const std::string& text) {
  const std::lock_guard lock(mutex_);
  if (const auto entry = running_.find(host); entry != running_.end()) entry->second = text;
}

std::string RunRecord::running() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [host, at] : running_) names.push_back(names_[host]);
  return inventory::fold_names(names);
}

void RunRecord::refresh_progress() {
  std::string text;
  {
    const std::lock_guard lock(mutex_);
    text = fmt::format("[{}/{}]", done_, names_.size());
    if (not_ok_ > 0) text += fmt::format(" {} not ok", not_ok_);
    if (!running_.empty()) text += fmt::format(", {} running", running_.size());
    if (running_.size() <= kStragglersShown)
      for (const auto& [host, at] : running_) text += " " + names_[host] + (at.empty() ? "" : " (" + at + ")");
  }
  console_.progress(text);
}

std::string RunRecord::folded(HostState state) const {
  std::vector<std::string> names;
  for (std::size_t host = 0; host < states_.size(); ++host)
    if (states_[host] == state) names.push_back(names_[host]);
  return inventory::fold_names(names);
}

void RunRecord::close(const ssh::FleetCounts& counts, std::chrono::milliseconds took) {
  ticker_.request_stop();
  if (ticker_.joinable()) ticker_.join();
  console_.progress("");
  const bool all_ok = counts.ok == counts.total();
  if (console_.reader_gone()) return;
  if (telling_ == Telling::nothing || (telling_ == Telling::failures_only && all_ok)) return;
  std::string text = fmt::format("{} {}: {} ok, {} failed, {} unreachable, {} timed out", counts.total(),
                                 counts.total() == 1 ? noun_.one : noun_.many, counts.ok, counts.failed,
                                 counts.unreachable, counts.timeout);
  if (counts.skipped > 0) text += fmt::format(", {} skipped", counts.skipped);
  text += fmt::format(" in {}\n", base::format_duration(took));
  for (const HostState state : {HostState::failed, HostState::unreachable, HostState::timeout, HostState::skipped})
    if (const std::string names = folded(state); !names.empty())
      text += fmt::format("{}: {}\n", ssh::name_of(state), names);
  console_.err(text);
}

std::string RunRecord::failed_lines() const {
  std::string lines;
  for (std::size_t host = 0; host < states_.size(); ++host)
    if (states_[host] != HostState::ok) lines += names_[host] + "\n";
  return lines;
}

int RunRecord::largest_status() const { return largest_status_; }

}  // namespace muster::cli
