// muster vm limit: what machines may take of their host.
#include <array>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/limit_profiles.h"
#include "cli/size_text.h"
#include "cli/terminal_text.h"
#include "cli/vm_commands.h"
#include "cli/vm_plan.h"
#include "cli/vm_run.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

LimitValues profile_of(const Settings& settings) {
  const auto name = settings.text("profile");
  if (!name) return {};
  const auto profiles = limit_profiles(configuration_files());
  if (const auto found = profiles.find(*name); found != profiles.end()) return found->second;
  std::string known;
  for (const auto& [other, limits] : profiles) known += (known.empty() ? "" : ", ") + other;
  settings.reject("profile", "no profile '" + *name + "'; the configuration has " + (known.empty() ? "none" : known));
}

// `vda=iops:500`, several times.
using ReadRates = Rates (*)(const std::string&);
std::map<std::string, Rates> devices(const Settings& settings, const char* option, ReadRates read) {
  std::map<std::string, Rates> all;
  for (const auto& text : settings.list(option)) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      settings.reject(option, "'" + text + "': write DEVICE=LIMIT:VALUE,..., or DEVICE=none");
    try {
      all[text.substr(0, equals)] = read(text.substr(equals + 1));
    } catch (const Error& e) {
      settings.reject(option, e.what());
    }
  }
  return all;
}

LimitValues wanted_limits(const Settings& settings) {
  LimitValues given;
  for (const char* option : {"cpu-quota", "cpu-shares", "cpu-pin", "memory-limit"}) {
    const auto text = settings.text(option);
    try {
      if (text) set_limit(given, option, *text);
    } catch (const Error& e) {
      settings.reject(option, e.what());
    }
  }
  given.disks = devices(settings, "disk", disk_rates);
  given.interfaces = devices(settings, "net", net_rates);
  LimitValues limits = profile_of(settings);
  limits.take(given);
  return limits;
}

json arguments_of(const LimitValues& limits) {
  json arguments = json::object();
  if (limits.cpu_quota_percent) arguments["cpu_quota_percent"] = *limits.cpu_quota_percent;
  if (limits.cpu_shares) arguments["cpu_shares"] = *limits.cpu_shares;
  if (limits.cpu_pin) arguments["cpu_pin"] = *limits.cpu_pin;
  if (limits.memory_bytes) arguments["memory_bytes"] = *limits.memory_bytes;
  arguments["disks"] = limits.disks;
  arguments["interfaces"] = limits.interfaces;
  return arguments;
}

std::string value_text(const std::string& limit, const json& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return value.get<std::string>().empty() ? "none" : value.get<std::string>();
  const auto number = value.get<std::uint64_t>();
  if (number == 0) return limit == "cpu-shares" ? "default" : "none";
  if (limit == "cpu-quota") return fmt::format("{}%", number);
  const bool count = limit.starts_with("iops") || limit == "cpu-shares";
  return count ? std::to_string(number) : size_text(number);
}

// A line for each limit: `web01: vda iops 500`; with what the next start has, if that is something else. Rates that are
// none are left out.
std::string limit_lines(const VmTarget& target, const json& result) {
  std::string text;
  for (const auto& limit : result.at("limits")) {
    const std::string name = limit.value("limit", ""), device = limit.value("device", "");
    const json now = limit.value("now", json()), next = limit.value("next_start", json());
    const json& shown = now.is_null() ? next : now;
    const bool other = !now.is_null() && !next.is_null() && value_text(name, now) != value_text(name, next) &&
                       !(name == "cpu-shares" && next == 0);
    if (!device.empty() && shown == 0 && !other) continue;
    text += fmt::format("{}: {}{}{} {}{}\n", target.name, visible(device), device.empty() ? "" : " ", name,
                        value_text(name, shown), other ? ", from the next start " + value_text(name, next) : "");
  }
  return text;
}

}  // namespace

int vm_limit(const VerbCommand& command) {
  const Settings& settings = command.program.settings;
  const LimitValues limits = wanted_limits(settings);
  const bool changes = !limits.empty();
  const auto selection =
      select_machines(command.program, command.workers, command.only_word(), changes ? Purpose::change : Purpose::look);
  if (changes && settings.flag("dry-run"))
    return show_plan(command, selection, fmt::format("set limits {} of", arguments_of(limits).dump()));
  return run_on_machines(command.program, command.workers, selection,
                         {.name = "limit",
                          .arguments = [&](const VmTarget&) { return arguments_of(limits); },
                          .patience = kUsualPatience,
                          .line = limit_lines});
}

}  // namespace muster::cli
