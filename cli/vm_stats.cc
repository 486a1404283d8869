// muster vm stats: what machines and their hosts use, as tables, as JSON, or in a file for Prometheus's node exporter.
#include <chrono>
#include <mutex>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/exit_status.h"
#include "cli/json_lines.h"
#include "cli/metrics_text.h"
#include "cli/unit_run.h"
#include "cli/usage_table.h"
#include "cli/vm_commands.h"
#include "cli/vm_wanted.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;
using ssh::HostReport;
using ssh::HostState;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kUsualAnswer{10};
constexpr std::chrono::seconds kStatsInterval{1};
constexpr std::size_t kMaxMetricsBytes = 256U << 20;

double unix_time() {
  return static_cast<double>(
             std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count()) /
         1000;
}

// The file for the node exporter, with what an earlier run knew.
class MetricsFile {
 public:
  explicit MetricsFile(std::string path) : path_(std::move(path)) {
    base::check_replaceable(path_);
    if (::access(path_.c_str(), F_OK) == 0) earlier_ = last_answers(base::read_file(path_, kMaxMetricsBytes));
  }
  void write(const std::vector<json>& hypervisors) const {
    base::replace_file(path_, metrics_text(hypervisors, earlier_, unix_time()));
  }

 private:
  std::string path_;
  LastAnswers earlier_;
};

// What came of each hypervisor: its answer, or an error with the names of its machines.
class Answers {
 public:
  Answers(const WantedMachines& wanted) : wanted_(wanted), all_(wanted.hypervisors().size()) {
    for (std::size_t i = 0; i < all_.size(); ++i) put_error(i, "not asked");
  }

  // Returns what is to be said of machines that are not there, or do not answer.
  std::string put(std::size_t number, json answer) {
    const std::string& uri = wanted_.hypervisors()[number];
    auto machines = wanted_.among(answer, uri);
    auto missing = wanted_.missing(machines, uri);
    answer["uri"] = uri;
    answer["machines"] = std::move(machines);
    std::string lacking = lacking_text(answer["machines"], missing);
    answer["missing"] = std::move(missing);
    const std::lock_guard lock(mutex_);
    all_[number] = std::move(answer);
    lacking_ = lacking_ || !lacking.empty();
    return lacking;
  }
  void put_error(std::size_t number, const std::string& error) {
    const std::string& uri = wanted_.hypervisors()[number];
    const std::lock_guard lock(mutex_);
    all_[number] = {{"uri", uri}, {"error", error}, {"missing", wanted_.known_on(uri)}};
  }
  const std::vector<json>& all() const { return all_; }
  // Some hypervisor that answered could not tell of all its machines.
  bool lacking() const { return lacking_; }

 private:
  static std::string lacking_text(const json& machines, const std::vector<std::string>& missing) {
    std::vector<std::string> silent;
    for (const auto& machine : machines)
      if (machine.value("stale", false)) silent.push_back(name_of(machine));
    std::string text = missing.empty() ? "" : fmt::format("no domain for {}", fmt::join(missing, ", "));
    if (!silent.empty()) text += fmt::format("{}no answer from {}", text.empty() ? "" : "; ", fmt::join(silent, ", "));
    return text;
  }

  const WantedMachines& wanted_;
  std::mutex mutex_;
  std::vector<json> all_;
  bool lacking_ = false;
};

void print_json(const Program& program, const std::vector<json>& hypervisors) {
  for (const auto& hypervisor : hypervisors) {
    const bool up = !hypervisor.contains("error");
    for (json machine : hypervisor.value("machines", json::array())) {
      machine["subject"] = "machine";
      machine["outcome"] = machine.value("stale", false) ? "timeout" : "ok";
      program.console.out(json_line("result", std::move(machine)));
    }
    for (const auto& name : hypervisor.value("missing", json::array()))
      program.console.out(json_line("result", {{"subject", "machine"},
                                               {"name", name},
                                               {"uri", hypervisor["uri"]},
                                               {"outcome", up ? "failed" : "unreachable"},
                                               {"error", up ? json("no such domain") : hypervisor["error"]}}));
    json node = hypervisor.value("node", json::object());
    node["subject"] = "hypervisor";
    node["uri"] = hypervisor["uri"];
    node["outcome"] = up ? "ok" : "unreachable";
    if (up) node["interval"] = hypervisor.value("interval", 0.0);
    if (!up) node["error"] = hypervisor["error"];
    program.console.out(json_line("result", std::move(node)));
  }
}

void print(const Program& program, const std::vector<json>& hypervisors, UsageOrder order) {
  if (program.json()) return print_json(program, hypervisors);
  std::vector<json> machines;
  for (const auto& hypervisor : hypervisors)
    for (const auto& machine : hypervisor.value("machines", json::array())) machines.push_back(machine);
  const std::string table = machine_usage_table(std::move(machines), order);
  program.console.out(table + (table.empty() ? "" : "\n") + hypervisor_usage_table(hypervisors));
}

// A failure to learn which machines there are must not leave a file behind that says all is well.
void write_all_down(const VerbCommand& command, const MetricsFile& file, const std::string& error) {
  std::vector<json> hypervisors;
  for (const auto& uri : all_hypervisors(command.program)) hypervisors.push_back({{"uri", uri}, {"error", error}});
  file.write(hypervisors);
}

WantedMachines wanted_machines(const VerbCommand& command, const std::optional<MetricsFile>& file) {
  try {
    return {command, WantedMachines::Names::hosts};
  } catch (const Error& e) {
    if (file && (e.code() == Code::unreachable || e.code() == Code::timeout)) write_all_down(command, *file, e.what());
    throw;
  }
}

HostReport failed(HostState state, const std::string& error) {
  HostReport report;
  report.state = state;
  report.error = error;
  return report;
}

}  // namespace

int vm_stats(const VerbCommand& command) {
  const Program& program = command.program;
  const bool once = command.verb == "top";
  const UsageOrder order = usage_order(program.settings, once ? UsageOrder::cpu : UsageOrder::as_given);
  std::optional<MetricsFile> file;
  if (const auto path = program.settings.text("prometheus")) file.emplace(*path);
  // The file has counters; whoever reads it takes the rates.
  const milliseconds interval = program.settings.duration("interval").value_or(file ? milliseconds(0) : kStatsInterval);
  const milliseconds patience = interval + program.settings.duration("timeout").value_or(kUsualAnswer);
  const WantedMachines wanted = wanted_machines(command, file);
  Answers answers(wanted);
  const auto task = [&](std::size_t number, ssh::OutputSink&) {
    try {
      const json arguments = {{"interval_ms", interval.count()}};
      const std::string lacking =
          answers.put(number, command.workers.call(wanted.hypervisors()[number], "statistics", arguments, patience));
      if (!lacking.empty()) program.ctx.warn(wanted.hypervisors()[number] + ": " + lacking);
      HostReport report;
      report.state = HostState::ok;
      return report;
    } catch (const Error& e) {
      answers.put_error(number, e.what());
      const bool unreachable = e.code() == Code::unreachable || e.code() == Code::timeout;
      return failed(unreachable ? HostState::unreachable : HostState::failed, e.what());
    }
  };
  UnitRun run(program, wanted.hypervisors(), kHypervisors);
  const auto finish = [&] {
    // What was not asked because somebody interrupted is not down.
    if (file && !program.interrupts.interrupted()) file->write(answers.all());
    if (!file || program.json()) print(program, answers.all(), order);
  };
  return run.execute(task, nullptr, finish,
                     [&](int status) { return status == kAllWorked && answers.lacking() ? kPartFailed : status; });
}

}  // namespace muster::cli
