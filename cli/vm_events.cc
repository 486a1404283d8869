// muster vm events: what happens to machines of all hypervisors, a line each, as it happens.
#include <condition_variable>
#include <mutex>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/exit_status.h"
#include "cli/hypervisor_watch.h"
#include "cli/json_lines.h"
#include "cli/machine_source.h"
#include "cli/terminal_text.h"
#include "cli/vm_commands.h"
#include "cli/vm_wanted.h"

namespace muster::cli {
namespace {

using base::Clock;
using base::Error;
using nlohmann::json;

// How often it is looked whether any hypervisor is left.
constexpr std::chrono::milliseconds kTick{200};

// Shows events as they come, from all hypervisors' threads.
class Stream {
 public:
  Stream(const Program& program, const WantedMachines& wanted, std::size_t most)
      : program_(program), wanted_(wanted), most_(most) {}

  void take(std::size_t hypervisor, json message) {
    const std::string& uri = wanted_.hypervisors()[hypervisor];
    const std::lock_guard lock(mutex_);
    if (!message.contains("event")) return watching(uri);
    const std::string domain = message.value("name", "");
    const auto name = wanted_.name_on(uri, domain);
    if (!name || full()) return;
    message["uri"] = uri;
    if (*name != domain) message["host"] = *name;
    show(*name, std::move(message));
    ++count_;
    changed_.notify_all();
  }

  void lost(std::size_t hypervisor, const Error& error) {
    const std::string& uri = wanted_.hypervisors()[hypervisor];
    const std::lock_guard lock(mutex_);
    last_error_ = error.code();
    // Once, not at every try.
    if (watched_.erase(uri) > 0 || told_lost_.insert(uri).second)
      program_.ctx.warn("not watching " + uri + ": " + error.what());
  }

  // Until there were as many as asked for, the deadline, or a stop; true: as many as asked for.
  bool wait(const HypervisorWatch& watch, base::TimePoint deadline) {
    std::unique_lock lock(mutex_);
    const auto stop = program_.interrupts.drain();
    while (!full() && !stop.stop_requested() && !program_.console.broken() && watch.left() > 0 &&
           Clock::now() < deadline)
      changed_.wait_until(lock, stop, std::min(deadline, Clock::now() + kTick), [&] { return full(); });
    return full();
  }

  std::size_t count() const { return count_; }
  std::size_t watched() const { return watched_.size(); }
  base::Code last_error() const { return last_error_; }

 private:
  bool full() const { return most_ != 0 && count_ >= most_; }

  void watching(const std::string& uri) {
    watched_.insert(uri);
    told_lost_.erase(uri);
    program_.ctx.note("watching " + uri);
  }

  void show(const std::string& name, json event) {
    if (program_.json()) return program_.console.out(json_line("result", std::move(event)));
    const std::string where = wanted_.hypervisors().size() > 1 ? " on " + event.value("uri", "") : "";
    const std::string detail = event.value("detail", "");
    program_.console.out(
        visible(fmt::format("{} {}{}: {} {}{}", event.value("time", ""), name, where, event.value("event", ""),
                            event.value("what", ""), detail.empty() ? "" : " (" + detail + ")")) +
        "\n");
  }

  const Program& program_;
  const WantedMachines& wanted_;
  std::size_t most_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::size_t count_ = 0;
  std::set<std::string> watched_, told_lost_;
  base::Code last_error_ = base::Code::unreachable;
};

int status_of(const Program& program, const Stream& stream, std::size_t hypervisors, bool enough) {
  if (enough) return kAllWorked;
  if (program.interrupts.interrupted()) return kInterrupted;
  if (stream.watched() == 0) return exit_status(stream.last_error());
  if (stream.watched() < hypervisors) return kPartFailed;
  return program.settings.given("count") ? kNothingWorked : kAllWorked;
}

}  // namespace

int vm_events(const VerbCommand& command) {
  const Program& program = command.program;
  const auto most = program.settings.integer("count", 1, 1'000'000'000);
  const auto patience = program.settings.duration("timeout");
  const auto deadline = patience ? Clock::now() + *patience : Clock::now() + std::chrono::hours(24 * 365 * 10);
  const WantedMachines wanted(command, WantedMachines::Names::hosts);
  Stream stream(program, wanted, static_cast<std::size_t>(most.value_or(0)));
  bool enough = false;
  {
    const HypervisorWatch watch(
        wanted.hypervisors(),
        {.operation = "events", .interval = {}, .connect_patience = connect_patience(program.settings)},
        {.progress = [&](std::size_t number, const json& message) { stream.take(number, message); },
         .lost = [&](std::size_t number, const Error& error) { stream.lost(number, error); }},
        *program.ctx.events);
    enough = stream.wait(watch, deadline);
  }
  const int status = status_of(program, stream, wanted.hypervisors().size(), enough);
  if (program.json())
    program.console.out(json_line(
        "summary", {{"events", stream.count()}, {"hypervisors", wanted.hypervisors().size()}, {"exit", status}}));
  return status;
}

}  // namespace muster::cli
