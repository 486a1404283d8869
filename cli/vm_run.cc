#include "cli/vm_run.h"

#include <atomic>
#include <mutex>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/exit_status.h"
#include "cli/json_lines.h"
#include "cli/unit_run.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;
using ssh::HostReport;
using ssh::HostState;

// Results of --json for what did not come to one of its own.
class FailureLines : public ssh::RunObserver {
 public:
  FailureLines(const Program& program, const Identity& identity) : program_(program), identity_(identity) {}

  std::unique_ptr<ssh::HostOutput> started(std::size_t) override { return std::make_unique<Machine>(*this); }
  void skipped(const HostReport& report) override { tell(report); }

 private:
  class Machine : public ssh::HostOutput {
   public:
    explicit Machine(FailureLines& lines) : lines_(lines) {}
    void output(ssh::Stream, std::string_view) override {}
    void finished(const HostReport& report) override { lines_.tell(report); }

   private:
    FailureLines& lines_;
  };

  void tell(const HostReport& report) {
    if (!program_.json() || report.state == HostState::ok) return;
    json result = identity_(report.host);
    result.update({{"outcome", ssh::name_of(report.state)}, {"error", report.error}});
    program_.console.out(json_line("result", std::move(result)));
  }

  const Program& program_;
  const Identity& identity_;
};

// How units failed, for the exit status.
class Failures {
 public:
  void add(Code code) {
    const std::lock_guard lock(mutex_);
    codes_.insert(code);
  }
  std::optional<Code> only_one() const { return codes_.size() == 1 ? std::optional(*codes_.begin()) : std::nullopt; }

 private:
  std::mutex mutex_;
  std::set<Code> codes_;
};

}  // namespace

int run_on_units(const Program& program, UnitRun& run, const Identity& identity, const MachineWork& work) {
  Failures failures;
  FailureLines lines(program, identity);
  const auto task = [&](std::size_t number, ssh::OutputSink&) {
    HostReport report;
    try {
      json result = identity(number);
      result.update(work.run(number));
      if (!result.contains("outcome")) result["outcome"] = "ok";
      if (program.json()) program.console.out(json_line("result", std::move(result)));
      report.state = HostState::ok;
    } catch (const Error& e) {
      failures.add(e.code());
      report = report_of(e);
    }
    return report;
  };
  return run.execute(
      task, &lines, work.before_closing,
      [&](int status) {
        const auto code = failures.only_one();
        if (code && status == kNothingWorked) status = exit_status(*code);
        return work.judge ? work.judge(status) : status;
      },
      work.summary);
}

int run_on_machines(const Program& program, UnitRun& run, const VmSelection& selection, const MachineWork& work) {
  const auto identity = [&](std::size_t number) {
    return json{{"name", selection.targets[number].name}, {"uri", selection.targets[number].uri}};
  };
  return run_on_units(program, run, identity, work);
}

int run_on_machines(const Program& program, HypervisorWorkers& workers, const VmSelection& selection,
                    const VmOperation& operation) {
  std::atomic<bool> incomplete = false;
  UnitRun run(program, selection.names, kMachines, operation.closing);
  const auto progress_of = [&](std::size_t number) {
    return [&, number](const json& progress) {
      if (!operation.progress) return;
      run.at_work(number, operation.progress(progress));
      if (!program.json()) return;
      json fields = progress;
      fields["name"] = selection.targets[number].name;
      program.console.out(json_line("progress", std::move(fields)));
    };
  };
  const auto work = [&](std::size_t number) {
    const VmTarget& target = selection.targets[number];
    json arguments = operation.arguments ? operation.arguments(target) : json::object();
    arguments["domain"] = target.domain;
    json result = workers.call(target.uri, operation.name, arguments, operation.patience, progress_of(number));
    if (operation.shown) result = operation.shown(std::move(result));
    const std::string line = operation.line && !program.json() ? operation.line(target, result) : "";
    if (!line.empty()) program.console.out(line);
    if (operation.incomplete && operation.incomplete(result)) incomplete = true;
    return result;
  };
  const auto judge = [&](int status) {
    return status == kAllWorked && incomplete ? static_cast<int>(kPartFailed) : status;
  };
  return run_on_machines(program, run, selection, {.run = work, .before_closing = {}, .judge = judge, .summary = {}});
}

}  // namespace muster::cli
