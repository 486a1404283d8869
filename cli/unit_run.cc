#include "cli/unit_run.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "cli/exit_status.h"
#include "cli/json_lines.h"

namespace muster::cli {
namespace {

RunRecord::Telling telling_of(const Program& program, Closing closing) {
  if (program.json()) return RunRecord::Telling::nothing;
  if (program.quiet() || closing == Closing::failures_only) return RunRecord::Telling::failures_only;
  return program.settings.flag("verbose") ? RunRecord::Telling::each_host : RunRecord::Telling::everything;
}

}  // namespace

ssh::HostReport report_of(const base::Error& error) {
  using base::Code;
  using ssh::HostState;
  ssh::HostReport report;
  report.error = error.what();
  report.state = error.code() == Code::unreachable ? HostState::unreachable
                 : error.code() == Code::timeout   ? HostState::timeout
                 : error.code() == Code::cancelled ? HostState::skipped
                                                   : HostState::failed;
  return report;
}

base::Code code_of(ssh::HostState state) {
  using base::Code;
  using ssh::HostState;
  return state == HostState::unreachable ? Code::unreachable
         : state == HostState::timeout   ? Code::timeout
         : state == HostState::skipped   ? Code::cancelled
                                         : Code::io;
}

ssh::HostReport report_of(const std::function<void()>& work) {
  try {
    work();
    ssh::HostReport report;
    report.state = ssh::HostState::ok;
    return report;
  } catch (const base::Error& e) {
    return report_of(e);
  }
}

UnitRun::UnitRun(const Program& program, const HostNames& names, const Noun& noun, Closing closing)
    : program_(program),
      names_(names),
      noun_(noun),
      record_(program.console, names, telling_of(program, closing), noun) {
  if (const auto file = program.settings.text("save-failed")) base::check_replaceable(*file);
}

ssh::FleetOptions UnitRun::options() const {
  const auto wanted = program_.settings.integer("fanout", 1, 100'000);
  const int fanout = ssh::bounded_fanout(wanted ? std::optional(static_cast<int>(*wanted)) : usual_fanout_);
  if (wanted && fanout < *wanted)
    program_.ctx.note(fmt::format("fanout {} instead of {}: the limit of open files allows no more", fanout, *wanted));
  return {
      .fanout = fanout, .batch = program_.settings.share("serial"), .max_fail = program_.settings.share("max-fail")};
}

void UnitRun::announce_interrupts() {
  program_.interrupts.on_interrupt([this](int count) {
    if (count == 1)
      program_.console.announce(
          fmt::format("\nno new {}; still running: {}\n(again: end them; a third time: leave at "
                      "once)\n",
                      noun_.many, record_.running()));
    if (count == 2) program_.console.announce("\nending what runs\n");
  });
}

int UnitRun::execute(const ssh::HostTask& task, ssh::RunObserver* output, const std::function<void()>& before_closing,
                     const Judge& judge, const Summary& summary) {
  announce_interrupts();
  std::vector<ssh::RunObserver*> observers;
  if (output != nullptr) observers.push_back(output);
  observers.push_back(&record_);  // last: what it tells about a unit comes after the unit's output
  const auto observer = all_of(observers);
  const auto start = base::Clock::now();
  const ssh::FleetCounts counts =
      ssh::run_fleet(names_.size(), options(), task, *observer, program_.interrupts.drain());
  program_.interrupts.on_interrupt({});
  if (before_closing) before_closing();
  return close(counts, std::chrono::duration_cast<std::chrono::milliseconds>(base::Clock::now() - start), judge,
               summary);
}

int UnitRun::close(const ssh::FleetCounts& counts, std::chrono::milliseconds took, const Judge& judge,
                   const Summary& more) {
  record_.close(counts, took);
  if (const auto file = program_.settings.text("save-failed")) base::replace_file(*file, record_.failed_lines());
  int status = program_.interrupts.interrupted() ? kInterrupted : exit_status(counts);
  if (status != kInterrupted && program_.settings.flag("max-rc")) status = record_.largest_status();
  if (status != kInterrupted && judge) status = judge(status);
  nlohmann::json summary = more ? more() : nlohmann::json::object();
  summary.update({{noun_.many, counts.total()},
                  {"ok", counts.ok},
                  {"failed", counts.failed},
                  {"unreachable", counts.unreachable},
                  {"timeout", counts.timeout},
                  {"skipped", counts.skipped},
                  {"duration", seconds_of(took)},
                  {"exit", status}});
  if (program_.json()) program_.console.out(json_line("summary", std::move(summary)));
  return status;
}

}  // namespace muster::cli
