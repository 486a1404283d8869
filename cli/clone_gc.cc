// muster clone gc: what was cut off, and can go.
#include <atomic>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/clone_commands.h"
#include "cli/exit_status.h"
#include "cli/json_lines.h"
#include "cli/unit_run.h"
#include "cli/vm_run.h"

namespace muster::cli {
namespace {

using nlohmann::json;

constexpr std::chrono::minutes kPatience{10};

std::string unfinished_text(const char* what, const json& unfinished) {
  std::string text;
  for (const auto& one : unfinished) {
    const std::string kept = one.value("kept_because", "");
    text += fmt::format("  {} {}: {}\n", what, one.value("name", ""), kept.empty() ? "half made" : "stays, " + kept);
    for (const auto& part : one.at("parts")) text += fmt::format("    {}\n", part.get<std::string>());
  }
  return text;
}

std::string found_text(const std::string& uri, const json& found) {
  std::string text = unfinished_text("machine", found.at("machines")) + unfinished_text("master", found.at("masters"));
  for (const auto& image : found.at("orphans"))
    text += fmt::format("  {}: built on a master, and no machine's; in no journal, so it stays\n",
                        image.get<std::string>());
  for (const auto& damage : found.at("damaged")) text += fmt::format("  {}\n", damage.get<std::string>());
  for (const auto& removed : found.at("removed")) text += fmt::format("  removed {}\n", removed.get<std::string>());
  return uri + (text.empty() ? ": nothing is left over\n" : "\n" + text);
}

bool any_to_remove(const json& found) {
  for (const char* kind : {"machines", "masters"})
    for (const auto& one : found.at(kind))
      if (one.value("kept_because", "").empty()) return true;
  return false;
}

}  // namespace

int clone_gc(const VerbCommand& command) {
  const Program& program = command.program;
  const HostNames uris = named_hypervisors(program);
  const bool plan = program.settings.flag("dry-run"), yes = program.settings.flag("yes");
  const auto look = [&](std::size_t number, bool only_look) {
    return command.workers.call(uris[number], "clone_gc", {{"plan", only_look}, {"take_over", yes}}, kPatience);
  };
  // One question for all, once it is known what it is about.
  bool any = false;
  for (std::size_t i = 0; i < uris.size() && !plan && !yes && !any; ++i) any = any_to_remove(look(i, true));
  if (any) confirm(program, "remove what is half made and nobody's any more (--dry-run shows it)");
  UnitRun run(program, uris, kHypervisors, Closing::failures_only);
  const auto identity = [&](std::size_t number) { return json{{"uri", uris[number]}}; };
  std::atomic<bool> damaged = false;
  const auto work = [&](std::size_t number) {
    json found = look(number, plan);
    if (!found.at("damaged").empty()) damaged = true;
    if (!program.json()) program.console.out(found_text(uris[number], found));
    return found;
  };
  const auto judge = [&](int status) { return damaged && status == kAllWorked ? static_cast<int>(kDamage) : status; };
  return run_on_units(program, run, identity, {.run = work, .judge = judge});
}

}  // namespace muster::cli
