// muster vm trash list, trash empty.
#include <algorithm>
#include <map>
#include <mutex>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/exit_status.h"
#include "cli/json_lines.h"
#include "cli/size_text.h"
#include "cli/text_table.h"
#include "cli/unit_run.h"
#include "cli/vm_commands.h"
#include "cli/vm_run.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;
using ssh::HostReport;
using ssh::HostState;

// Storage is looked through before a disk goes.
constexpr std::chrono::minutes kPurgePatience{10};

// What lies in the trash of all hypervisors, in their order; and those that could not be asked.
class Trash {
 public:
  explicit Trash(const VerbCommand& command) : command_(command), uris_(all_hypervisors(command.program)) {
    machines_.resize(uris_.size());
    const auto older = command.program.settings.duration("older-than");
    if (older) arguments_["older_than_s"] = std::chrono::duration_cast<std::chrono::seconds>(*older).count();
  }

  const HostNames& hypervisors() const { return uris_; }

  HostReport ask(std::size_t number) {
    HostReport report;
    try {
      json answer = command_.workers.call(uris_[number], "trash", arguments_, kUsualPatience);
      for (auto& machine : answer.at("machines")) machine["uri"] = uris_[number];
      const std::lock_guard lock(mutex_);
      machines_[number] = answer.at("machines");
      report.state = HostState::ok;
    } catch (const Error& e) {
      report = report_of(e);
      const std::lock_guard lock(mutex_);
      failures_.push_back(e);
    }
    return report;
  }

  std::vector<json> machines() const {
    std::vector<json> all;
    for (const auto& list : machines_)
      for (const auto& machine : list) all.push_back(machine);
    return all;
  }
  const std::vector<Error>& failures() const { return failures_; }

 private:
  const VerbCommand& command_;
  HostNames uris_;
  json arguments_ = json::object();
  std::mutex mutex_;
  std::vector<json> machines_;
  std::vector<Error> failures_;
};

std::string state_of(const json& machine) {
  if (!machine.value("damage", "").empty()) return "damaged";
  const std::string unfinished = machine.value("unfinished", "");
  if (!unfinished.empty()) return "unfinished " + unfinished;
  return machine.value("expired", false) ? "expired" : "kept";
}

void print(const Program& program, const Trash& trash) {
  TextTable table({"NAME", "DELETED", "EXPIRES", "HELD", "STATE", "HYPERVISOR"});
  for (const auto& machine : trash.machines()) {
    if (program.json())
      program.console.out(json_line("result", machine));
    else
      table.add_row({machine.value("name", ""), machine.value("deleted", "?"), machine.value("expires", "?"),
                     size_text(machine.value("held_bytes", std::uint64_t{0})), state_of(machine),
                     machine.value("uri", "")});
  }
  if (!program.json()) program.console.out(table.text());
}

int list(const VerbCommand& command) {
  Trash trash(command);
  UnitRun run(command.program, trash.hypervisors(), kHypervisors);
  return run.execute([&](std::size_t number, ssh::OutputSink&) { return trash.ask(number); }, nullptr,
                     [&] { print(command.program, trash); });
}

// A command that lets go for good wants to hear of which hypervisors.
void check_named(const Settings& settings) {
  if (settings.given("inventory") || settings.given("connection")) return;
  throw Error(Code::usage, "emptying the trash wants its hypervisors named: -c URI, or an inventory: -i FILE");
}

struct Due {
  VmSelection machines;
  std::uint64_t bytes = 0;
  // When each came into the trash, by hypervisor and name there: the one that was shown is the one that goes.
  std::map<std::pair<std::string, std::string>, std::string> deleted;
};

Due due_of(const Trash& trash) {
  Due due;
  for (const auto& machine : trash.machines()) {
    if (!machine.value("due", false)) continue;
    const VmTarget target{machine.value("name", ""), machine.value("uri", ""), machine.value("trash_name", "")};
    due.deleted[{target.uri, target.domain}] = machine.value("deleted", "");
    due.machines.names.push_back(target.name);
    due.machines.targets.push_back(target);
    due.bytes += machine.value("held_bytes", std::uint64_t{0});
  }
  return due;
}

void check_expected(const Settings& settings, std::size_t count) {
  const auto expected = settings.integer("expect", 0, 1'000'000'000);
  if (expected && static_cast<std::size_t>(*expected) != count)
    throw Error(Code::refused,
                fmt::format("{} machines match, not the {} of --expect; nothing was done", count, *expected));
}

std::string trash_line(const VmTarget& target, const json& result) {
  for (const auto& step : result.at("steps"))
    if (step.value("step", "") == "disks")
      return fmt::format("{}: for good on {}: {}\n", target.name, target.uri, step.value("what", ""));
  return target.name + ": for good\n";
}

int empty(const VerbCommand& command) {
  const Program& program = command.program;
  check_named(program.settings);
  Trash trash(command);
  const auto silent = all_of({});
  ssh::run_fleet(
      trash.hypervisors().size(), {.fanout = ssh::bounded_fanout(std::nullopt), .batch = {}, .max_fail = {}},
      [&](std::size_t number, ssh::OutputSink&) { return trash.ask(number); }, *silent, program.interrupts.drain());
  for (const auto& failure : trash.failures()) program.ctx.warn(failure.what());
  for (const auto& machine : trash.machines())
    if (const auto damage = machine.value("damage", ""); !damage.empty()) program.ctx.warn(damage);
  const auto due = due_of(trash);
  const auto& selection = due.machines;
  if (selection.targets.empty() && !trash.failures().empty()) throw trash.failures().front();
  check_expected(program.settings, selection.targets.size());
  const bool plan = program.settings.flag("dry-run");
  if (!plan && !selection.targets.empty())
    confirm(program,
            fmt::format("delete {} machines, which hold {}, for good", selection.targets.size(), size_text(due.bytes)));
  const int status =
      run_on_machines(program, command.workers, selection,
                      {.name = plan ? "retire_plan" : "retire",
                       .arguments =
                           [&](const VmTarget& target) {
                             return json{{"purge", true}, {"deleted", due.deleted.at({target.uri, target.domain})}};
                           },
                       .patience = kPurgePatience,
                       .line = plan ? trash_line : gone_line,
                       .incomplete = something_remains});
  return status == kAllWorked && !trash.failures().empty() ? static_cast<int>(kPartFailed) : status;
}

}  // namespace

int vm_trash(const VerbCommand& command) {
  const std::string& what = command.only_word();
  if (what == "list") return list(command);
  if (what == "empty") return empty(command);
  throw Error(Code::usage, "write muster vm trash list|empty");
}

}  // namespace muster::cli
