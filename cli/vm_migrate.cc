// muster vm migrate: machines move to another hypervisor.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/quantity.h"
#include "cli/vm_commands.h"
#include "cli/vm_run.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

// Beyond the deadline of the transfer: the proof that the machine runs over there, and the way back.
constexpr std::chrono::minutes kAround{2};

json arguments_of(const VerbCommand& command) {
  const Settings& settings = command.program.settings;
  const auto to = settings.text("to");
  if (!to) throw Error(Code::usage, "where to? write muster vm migrate PATTERN --to URI");
  json arguments = {{"to", *to},
                    {"offline", settings.flag("offline")},
                    {"copy_storage", settings.flag("copy-storage")},
                    {"patience_ms", settings.duration("timeout").value_or(std::chrono::milliseconds(0)).count()}};
  if (const auto bandwidth = settings.text("bandwidth")) arguments["bandwidth"] = base::parse_size(*bandwidth);
  return arguments;
}

std::string check_text(const VmTarget& target, const json& result) {
  std::string text;
  for (const auto& refusal : result.value("refusals", json::array()))
    text += fmt::format("{}: no: {}\n", target.name, refusal.get<std::string>());
  for (const auto& warning : result.value("warnings", json::array()))
    text += fmt::format("{}: note: {}\n", target.name, warning.get<std::string>());
  if (result.value("refusals", json::array()).empty())
    text += fmt::format("{}: can move to {}\n", target.name, result.value("to", ""));
  return text;
}

// `memory 40 %, disks 3 %`
std::string progress_text(const json& progress) {
  const auto share = [&](const std::string& what) {
    const auto total = progress.value(what + "_total_bytes", std::uint64_t{0});
    const auto left = progress.value(what + "_remaining_bytes", std::uint64_t{0});
    return total == 0 ? 0 : (total - std::min(left, total)) * 100 / total;
  };
  const std::string disks =
      progress.value("disk_total_bytes", std::uint64_t{0}) > 0 ? fmt::format(", disks {} %", share("disk")) : "";
  return fmt::format("memory {} %{}", share("memory"), disks);
}

std::string moved_text(const VmTarget& target, const json& result) {
  std::string text = fmt::format("{}: {} on {}, in {:.1f}s\n", target.name, result.value("state", ""),
                                 result.value("to", ""), result.value("duration", 0.0));
  for (const auto& path : result.value("left_files", json::array()))
    text += fmt::format("{}: left where it was: {}\n", target.name, path.get<std::string>());
  return text;
}

}  // namespace

int vm_migrate(const VerbCommand& command) {
  json arguments = arguments_of(command);
  const bool only_check = command.program.settings.flag("check") || command.program.settings.flag("dry-run");
  const auto selection = select_machines(command.program, command.workers, command.only_word(),
                                         only_check ? Purpose::look : Purpose::change);
  const auto same = [arguments](const VmTarget&) { return arguments; };
  if (only_check)
    return run_on_machines(command.program, command.workers, selection,
                           {.name = "check-move", .arguments = same, .patience = kUsualPatience, .line = check_text});
  const auto timeout = command.program.settings.duration("timeout");
  const HypervisorWorkers::Patience patience =
      timeout ? std::optional<std::chrono::milliseconds>(*timeout + kAround) : std::nullopt;
  return run_on_machines(
      command.program, command.workers, selection,
      {.name = "migrate", .arguments = same, .patience = patience, .line = moved_text, .progress = progress_text});
}

}  // namespace muster::cli
