// muster vm set: other CPUs and memory.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/quantity.h"
#include "cli/size_text.h"
#include "cli/vm_commands.h"
#include "cli/vm_plan.h"
#include "cli/vm_run.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

constexpr std::int64_t kMostCpus = 4096;
// How long a running guest may take to bring up CPUs or give memory back.
constexpr std::chrono::milliseconds kGuestPatience{10'000};

// Asked of the worker under the names of its operation; said to people as they wrote it.
struct Change {
  json arguments = json::object();
  std::string text;

  void add(const char* option, const char* field, std::uint64_t value, const std::string& written) {
    arguments[field] = value;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", option, written);
  }
};

void add_count(const Settings& settings, Change& change, const char* option, const char* field) {
  if (const auto count = settings.integer(option, 1, kMostCpus))
    change.add(option, field, static_cast<std::uint64_t>(*count), std::to_string(*count));
}

void add_size(const Settings& settings, Change& change, const char* option, const char* field) {
  const auto written = settings.text(option);
  if (!written) return;
  try {
    change.add(option, field, base::parse_size(*written), *written);
  } catch (const Error& e) {
    settings.reject(option, e.what());
  }
}

Change wanted_change(const Settings& settings) {
  Change change;
  add_count(settings, change, "cpus", "cpus");
  add_count(settings, change, "max-cpus", "max_cpus");
  add_size(settings, change, "memory", "memory_bytes");
  add_size(settings, change, "max-memory", "max_memory_bytes");
  if (change.text.empty())
    throw Error(Code::usage, "nothing to set: say --cpus N, --memory SIZE, --max-cpus N or --max-memory SIZE");
  return change;
}

std::string when_text(const json& change) {
  const bool now = change.value("now", false), next = change.value("next_start", false);
  std::string text = now && next ? "now and from the next start" : now ? "now" : "from the next start";
  if (const std::string reason = change.value("reason", ""); !reason.empty()) text += ", " + reason;
  return text;
}

// `web01: memory 2G: now and from the next start`, a line for each value.
std::string change_lines(const VmTarget& target, const json& result) {
  std::string text;
  for (const auto& change : result.at("changes")) {
    const std::string setting = change.value("setting", "");
    const auto wanted = change.value("wanted", std::uint64_t{0});
    const std::string value = setting.ends_with("memory") ? size_text(wanted) : std::to_string(wanted);
    text += fmt::format("{}: {} {}: {}\n", target.name, setting, value, when_text(change));
  }
  return text;
}

}  // namespace

int vm_set(const VerbCommand& command) {
  Change change = wanted_change(command.program.settings);
  const auto guest_patience = command.program.settings.duration("timeout").value_or(kGuestPatience);
  change.arguments["guest_patience_ms"] = guest_patience.count();
  const auto selection = select_machines(command.program, command.workers, command.only_word(), Purpose::change);
  if (command.program.settings.flag("dry-run"))
    return show_plan(command, selection, fmt::format("set {} of", change.text));
  return run_on_machines(command.program, command.workers, selection,
                         {.name = "set",
                          .arguments = [&](const VmTarget&) { return change.arguments; },
                          .patience = 2 * guest_patience + kUsualPatience,
                          .line = change_lines});
}

}  // namespace muster::cli
