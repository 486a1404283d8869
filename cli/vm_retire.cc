// muster vm delete, undelete.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/final_backup.h"
#include "cli/size_text.h"
#include "cli/terminal_text.h"
#include "cli/vm_commands.h"
#include "cli/vm_run.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

constexpr std::chrono::minutes kStopPatience{2};
constexpr std::chrono::hours kKeep{7 * 24};
constexpr const char* kFinalTag = "final";
// Beside the guest's shutdown: its agent, and storage that is looked through.
constexpr std::chrono::minutes kStepsPatience{10};

std::string steps_text(const VmTarget& target, const json& result) {
  std::string text = target.name + "\n";
  for (const auto& step : result.at("steps")) {
    const std::string fate = step.value("fate", "");
    text += fmt::format("  {:<15} {}{}\n", step.value("step", ""), fate == "due" ? "" : fate + ": ",
                        visible(step.value("what", "")));
  }
  return text;
}

std::string delete_line(const VmTarget& target, const json& result) {
  if (!result.contains("trash_name")) return gone_line(target, result);
  return fmt::format("{}: {}in the trash until {}, holding {}; muster vm undelete brings it back\n", target.name,
                     result.value("changed", true) ? "" : "already ", result.value("expires", ""),
                     size_text(result.value("held_bytes", std::uint64_t{0})));
}

std::string undelete_line(const VmTarget& target, const json& result) {
  const std::string state = result.value("state", "");
  const bool stopped = result.value("was_running", false) && state == "shut off";
  return fmt::format("{}: back, {}{}\n", target.name, state, stopped ? "; it was running when it was deleted" : "");
}

// A command of muster-backup on the repository that is named.
std::vector<std::string> on_repository(const Settings& settings, std::vector<std::string> argv) {
  argv.insert(argv.end(), {"--quiet", "--repository", settings.text("repository").value()});
  if (const auto key = settings.text("key-file")) argv.insert(argv.end(), {"--key-file", *key});
  return argv;
}

bool takes_backup(const Settings& settings) {
  const auto skip = settings.list("skip");
  return settings.given("repository") && std::find(skip.begin(), skip.end(), "final-backup") == skip.end();
}

// Before anything is stopped for it: that the repository is there, and opens.
void check_final_backup(const Program& program) {
  if (!takes_backup(program.settings)) return;
  const auto argv = on_repository(
      program.settings, {"sh", "-c", "exec \"$0\" \"$@\" >/dev/null", sibling_program("muster-backup"), "list"});
  try {
    run_final_backup(program.ctx, argv);
  } catch (const Error& e) {
    throw Error(e.code(), std::string("a final backup cannot be made: ") + e.what() +
                              "; nothing was done, and --skip final-backup goes on without");
  }
}

VmOperation delete_operation(const VerbCommand& command) {
  const Settings& settings = command.program.settings;
  const auto grace = settings.duration("timeout").value_or(kStopPatience);
  const auto keep = settings.duration("expire").value_or(kKeep);
  if (settings.flag("purge") && settings.given_now("expire"))
    throw Error(Code::usage, "--expire is about the trash, and --purge is for good: write one of them");
  if (settings.flag("keep-disks") && !settings.flag("purge"))
    throw Error(Code::usage, "the trash keeps all disks: --keep-disks goes with --purge");
  auto skip = settings.list("skip");
  if (settings.flag("keep-disks")) skip.emplace_back("disks");
  json arguments = {{"purge", settings.flag("purge")},
                    {"skip", skip},
                    {"services", settings.list("stop-service")},
                    {"discard_saved", settings.flag("discard-saved")},
                    {"grace_ms", grace.count()},
                    {"keep_s", std::chrono::duration_cast<std::chrono::seconds>(keep).count()},
                    {"verbose", settings.flag("verbose")}};
  const auto for_target = [arguments, &settings](const VmTarget& target) {
    json all = arguments;
    if (takes_backup(settings))
      all["backup"] =
          on_repository(settings, {sibling_program("muster-backup"), "create", target.uri + "#" + target.domain,
                                   "--name", point_name(target), "--tag", kFinalTag});
    return all;
  };
  // A backup takes as long as it takes.
  const auto patience = takes_backup(settings) ? HypervisorWorkers::Patience() : grace + kStepsPatience;
  return {.name = "retire",
          .arguments = for_target,
          .patience = patience,
          .line = delete_line,
          .incomplete = something_remains};
}

// Many at once are said to be meant: by their number, or by --yes.
void confirm_delete(const VerbCommand& command, const VmSelection& selection) {
  const Settings& settings = command.program.settings;
  const std::size_t count = selection.targets.size();
  if (count > 1 && !settings.given("expect") && !settings.flag("yes"))
    throw Error(Code::refused,
                fmt::format("{} machines match: say --expect {}, or --yes; nothing was done", count, count));
  const std::string what = count == 1 ? selection.targets.front().name : fmt::format("{} machines", count);
  confirm(command.program, settings.flag("purge") ? "delete " + what + " for good" : "delete " + what);
}

}  // namespace

std::string gone_line(const VmTarget& target, const json& result) {
  std::string text = target.name + ": gone for good";
  for (const char* field : {"removed", "kept"})
    if (result.contains(field))
      text += fmt::format("; {} {}", field, fmt::join(result[field].get<std::vector<std::string>>(), ", "));
  if (result.contains("remaining"))
    text += fmt::format("; remove by hand: {}", fmt::join(result["remaining"].get<std::vector<std::string>>(), ", "));
  return visible(text) + "\n";
}

bool something_remains(const json& result) { return result.contains("remaining"); }

int vm_delete(const VerbCommand& command) {
  VmOperation operation = delete_operation(command);
  const auto selection = select_machines(command.program, command.workers, command.only_word(), Purpose::retire);
  if (command.program.settings.flag("dry-run")) {
    operation.name = "retire_plan";
    operation.line = steps_text;
  } else {
    confirm_delete(command, selection);
    check_final_backup(command.program);
  }
  return run_on_machines(command.program, command.workers, selection, operation);
}

int vm_undelete(const VerbCommand& command) {
  const auto selection = select_machines(command.program, command.workers, command.only_word(), Purpose::restore);
  const bool plan = command.program.settings.flag("dry-run");
  json arguments = {{"verbose", command.program.settings.flag("verbose")}};
  return run_on_machines(command.program, command.workers, selection,
                         {.name = plan ? "restore_plan" : "restore",
                          .arguments = [arguments](const VmTarget&) { return arguments; },
                          .patience = kStepsPatience,
                          .line = plan ? steps_text : undelete_line});
}

}  // namespace muster::cli
