// muster vm snapshot: create, list, tree, revert, delete, prune.
#include <ctime>
#include <functional>
#include <map>
#include <mutex>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/quantity.h"
#include "cli/terminal_text.h"
#include "cli/text_table.h"
#include "cli/verb_table.h"
#include "cli/vm_commands.h"
#include "cli/vm_plan.h"
#include "cli/vm_run.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

// Memory is written to the image, and read from it, at the disk's speed.
constexpr std::chrono::hours kPatience{2};
constexpr std::chrono::seconds kFreezePatience{10};

// The worker tells times in seconds since 1970; they are shown as RFC 3339.
json shown_snapshot(json snapshot) {
  for (const char* field : {"created", "expires"})
    if (snapshot.contains(field))
      snapshot[field] = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                                    fmt::gmtime(static_cast<std::time_t>(snapshot[field].get<std::int64_t>())));
  return snapshot;
}

std::string field(const json& snapshot, const char* name) { return snapshot.value(name, ""); }

std::string generated_name() { return fmt::format("muster-{:%Y%m%d-%H%M%S}", fmt::gmtime(std::time(nullptr))); }

struct Action {
  std::string name, pattern, snapshot;
};

[[noreturn]] void explain_usage(const VerbCommand& command) {
  throw Error(Code::usage, fmt::format("write muster vm snapshot {}", find_verb("vm", command.verb)->arguments));
}

Action action_of(const VerbCommand& command) {
  const auto& words = command.words;
  if (words.size() < 2 || words.size() > 3) explain_usage(command);
  const std::string& name = words[0];
  const bool may_name = name == "create" || name == "revert" || name == "delete";
  if (!may_name && name != "list" && name != "tree" && name != "prune") explain_usage(command);
  if (words.size() == 3 ? !may_name : (name == "revert" || name == "delete")) explain_usage(command);
  return {.name = name, .pattern = words[1], .snapshot = words.size() == 3 ? words[2] : ""};
}

// Options of one action are not for the others.
void check_options(const Settings& settings, const Action& action) {
  if (action.name == "create") return;
  for (const char* option : {"disk-only", "quiesce", "description", "expire", "timeout"})
    if (settings.given_now(option))
      throw Error(Code::usage, fmt::format("--{} is not for muster vm snapshot {}", option, action.name));
}

json create_arguments(const VerbCommand& command, const Action& action) {
  const Settings& settings = command.program.settings;
  json arguments = {{"snapshot", action.snapshot.empty() ? generated_name() : action.snapshot},
                    {"description", settings.text("description").value_or("")},
                    {"disk_only", settings.flag("disk-only")},
                    {"quiesce", settings.flag("quiesce")}};
  const auto seconds = [](std::chrono::milliseconds d) {
    return std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(d).count());
  };
  if (const auto expire = settings.duration("expire")) arguments["expire_s"] = seconds(*expire);
  arguments["freeze_s"] = seconds(settings.duration("timeout").value_or(kFreezePatience));
  return arguments;
}

// --- what is shown

std::vector<std::string> row_of(const VmTarget& target, const json& snapshot) {
  const std::string parent = field(snapshot, "parent"), expires = field(snapshot, "expires");
  return {target.name,
          field(snapshot, "snapshot") + (snapshot.value("current", false) ? " *" : ""),
          field(snapshot, "created"),
          field(snapshot, "state"),
          parent.empty() ? "-" : parent,
          expires.empty() ? "-" : expires,
          field(snapshot, "description")};
}

// Children below their parent; `*`: the machine went on from there.
std::string tree_text(const json& snapshots, const std::string& parent, const std::string& indent) {
  std::string text;
  for (const auto& snapshot : snapshots) {
    if (field(snapshot, "parent") != parent) continue;
    const std::string name = field(snapshot, "snapshot");
    text += fmt::format("{}{}{}  {}  {}\n", indent, visible(name), snapshot.value("current", false) ? " *" : "",
                        field(snapshot, "created"), field(snapshot, "state"));
    text += tree_text(snapshots, name, indent + "  ");
  }
  return text;
}

std::string result_line(const std::string& action, const VmTarget& target, const json& result) {
  const std::string name = visible(result.value("snapshot", ""));
  if (action == "create")
    return fmt::format("{}: snapshot {} ({}){}\n", target.name, name, result.value("snapshot_state", ""),
                       result.value("expires", "").empty() ? "" : ", expires " + result.value("expires", ""));
  if (action == "revert")
    return fmt::format("{}: as in snapshot {} of {}, {}\n", target.name, name, result.value("created", ""),
                       result.value("state", ""));
  if (action == "delete") return fmt::format("{}: snapshot {} deleted\n", target.name, name);
  std::string text;
  for (const auto& deleted : result.value("deleted", json::array()))
    text += fmt::format("{}: snapshot {} deleted: it had expired\n", target.name, visible(deleted.get<std::string>()));
  return text;
}

// --- what is lost is said before

std::string question(const VerbCommand& command, const VmSelection& selection, const Action& action) {
  if (action.name == "delete")
    return fmt::format("delete snapshot '{}' of {} machines", action.snapshot, selection.targets.size());
  std::string text;
  for (const auto& target : selection.targets) {
    const json facts = command.workers.call(target.uri, "snapshot_facts",
                                            {{"domain", target.domain}, {"snapshot", action.snapshot}}, kUsualPatience);
    const json snapshot = shown_snapshot(facts.at("snapshot_list").at(0));
    const std::string state = facts.value("state", "");
    text += fmt::format("{}revert '{}' to '{}': what its disks took since {} is lost{}", text.empty() ? "" : "; ",
                        target.name, action.snapshot, field(snapshot, "created"),
                        state == "running" || state == "paused" ? ", and what it is doing now (it is " + state + ")"
                        : state == "saved"                      ? ", and its saved memory"
                                                                : "");
  }
  return text;
}

int change(const VerbCommand& command, const Action& action) {
  const auto selection = select_machines(command.program, command.workers, action.pattern, Purpose::change);
  json arguments = action.name == "create" ? create_arguments(command, action) : json{{"snapshot", action.snapshot}};
  if (command.program.settings.flag("dry-run"))
    return show_plan(command, selection,
                     action.name == "prune"
                         ? "delete expired snapshots of"
                         : fmt::format("{} snapshot {} of", action.name, arguments.value("snapshot", "")));
  if ((action.name == "revert" || action.name == "delete") && !command.program.settings.flag("yes"))
    confirm(command.program, question(command, selection, action));
  return run_on_machines(
      command.program, command.workers, selection,
      {.name = "snapshot_" + action.name,
       .arguments = [&](const VmTarget&) { return arguments; },
       .patience = kPatience,
       .line = [&](const VmTarget& target, const json& result) { return result_line(action.name, target, result); },
       .closing = action.name == "prune" ? Closing::failures_only : Closing::usual,
       .shown = shown_snapshot});
}

int look(const VerbCommand& command, const Action& action) {
  const auto selection = select_machines(command.program, command.workers, action.pattern, Purpose::look);
  std::mutex mutex;
  std::map<std::string, std::pair<VmTarget, json>> found;
  const int status = run_on_machines(command.program, command.workers, selection,
                                     {.name = "snapshot_list",
                                      .arguments = {},
                                      .patience = kUsualPatience,
                                      .line =
                                          [&](const VmTarget& target, const json& result) {
                                            const std::lock_guard lock(mutex);
                                            found[target.name] = {target, result.at("snapshot_list")};
                                            return std::string();
                                          },
                                      .closing = Closing::failures_only,
                                      .shown =
                                          [](json result) {
                                            for (auto& snapshot : result["snapshot_list"])
                                              snapshot = shown_snapshot(snapshot);
                                            return result;
                                          }});
  TextTable table({"MACHINE", "NAME", "CREATED", "STATE", "PARENT", "EXPIRES", "DESCRIPTION"});
  std::string trees;
  for (const auto& target : selection.targets) {
    if (!found.contains(target.name)) continue;
    const json& snapshots = found[target.name].second;
    for (const auto& snapshot : snapshots) table.add_row(row_of(target, snapshot));
    if (!snapshots.empty()) trees += target.name + "\n" + tree_text(snapshots, "", "  ");
  }
  if (!command.program.json()) command.program.console.out(action.name == "tree" ? trees : table.text());
  return status;
}

}  // namespace

int vm_snapshot(const VerbCommand& command) {
  const Action action = action_of(command);
  check_options(command.program.settings, action);
  return action.name == "list" || action.name == "tree" ? look(command, action) : change(command, action);
}

}  // namespace muster::cli
