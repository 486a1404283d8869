#include "cli/clone_proof.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

constexpr std::uint64_t kSectorBytes = 512;

std::string first_label(const std::string& name) { return name.substr(0, name.find('.')); }

}  // namespace

// Also for shells and systems that have hardly anything.
const char* const kSelfPortrait =
    "echo host-name=$(hostname 2>/dev/null || cat /proc/sys/kernel/hostname);"
    " echo machine-id=$(cat /etc/machine-id 2>/dev/null);"
    " for d in /sys/block/*; do echo disk=$(cat $d/size 2>/dev/null); done";

SelfPortrait self_portrait(std::string_view output) {
  SelfPortrait portrait;
  while (!output.empty()) {
    std::string_view line = output.substr(0, output.find('\n'));
    output.remove_prefix(std::min(line.size() + 1, output.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto value = [&](std::string_view key) { return line.substr(key.size()); };
    std::uint64_t sectors = 0;
    if (line.starts_with("host-name=")) portrait.host_name = value("host-name=");
    if (line.starts_with("machine-id=")) portrait.machine_id = value("machine-id=");
    if (!line.starts_with("disk=")) continue;
    const auto number = value("disk=");
    std::from_chars(number.data(), number.data() + number.size(), sectors);
    portrait.disk_bytes.push_back(sectors * kSectorBytes);
  }
  return portrait;
}

void check_portrait(const SelfPortrait& portrait, const Expected& expected) {
  // A guest may know itself with its domain, or without the one that its machine's name has.
  const std::string &told = portrait.host_name, &name = expected.name;
  if (told != name && first_label(told) != name && told != first_label(name))
    throw Error(Code::corrupt, "it calls itself '" + portrait.host_name + "', and should be '" + expected.name + "'");
  for (const auto bytes : expected.disk_bytes)
    if (std::find(portrait.disk_bytes.begin(), portrait.disk_bytes.end(), bytes) == portrait.disk_bytes.end())
      throw Error(Code::corrupt, fmt::format("it sees no disk of {} bytes, which it should have", bytes));
}

void OnlyOnes::take(const std::string& kind, const std::string& value, const std::string& machine) {
  if (value.empty()) return;
  const std::lock_guard lock(mutex_);
  const auto [entry, fresh] = taken_.try_emplace({kind, value}, machine);
  if (!fresh && entry->second != machine)
    throw Error(Code::corrupt, fmt::format("its {} {} is that of '{}', too", kind, value, entry->second));
}

SelfPortrait proved(HostLogins& logins, const inventory::ConnectionFacts& facts, base::TimePoint deadline,
                    const Expected& expected, OnlyOnes& only_ones) {
  auto portrait = self_portrait(logins.run(facts, kSelfPortrait, deadline).output);
  check_portrait(portrait, expected);
  only_ones.take("machine-id", portrait.machine_id, facts.name);
  only_ones.take("address", facts.address.value_or(""), facts.name);
  for (const auto& key : facts.host_keys) only_ones.take("host key", key, facts.name);
  return portrait;
}

void drop_secret_seed(HypervisorWorkers& workers, const VmTarget& target, const nlohmann::json& heard) {
  // A guest may have locked the drive for a while.
  constexpr std::chrono::seconds kPatience{90};
  if (heard.at("secret_seed").get<bool>())
    workers.call(target.uri, "clone_destroy_seed", {{"domain", target.domain}}, kPatience);
}

}  // namespace muster::cli
