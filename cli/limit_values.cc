#include "cli/limit_values.h"

#include <algorithm>
#include <array>
#include <span>

#include <fmt/format.h>

#include "base/error.h"
#include "base/quantity.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

constexpr const char* kNone = "none";
constexpr std::int64_t kMostPercent = 409'600;
constexpr std::int64_t kMostShares = 262'144;
constexpr std::int64_t kMostIops = 1'000'000'000;
constexpr std::uint64_t kKib = 1024;
constexpr std::uint64_t kMostNetBytes = 1ULL << 40;

constexpr auto kDiskNames =
    std::to_array<std::string_view>({"iops", "iops-read", "iops-write", "bps", "bps-read", "bps-write"});
constexpr auto kNetNames = std::to_array<std::string_view>({"in", "out"});

std::uint64_t percent(const std::string& text) {
  if (text == kNone) return 0;
  if (!text.ends_with('%')) throw Error(Code::usage, "'" + text + "': write a percentage of one CPU, as 150%, or none");
  return static_cast<std::uint64_t>(
      base::parse_integer(std::string_view(text).substr(0, text.size() - 1), 1, kMostPercent, "percentage"));
}

std::uint64_t whole_kib(const std::string& text) {
  if (text == kNone) return 0;
  const std::uint64_t bytes = base::parse_size(text);
  if (bytes % kKib != 0) throw Error(Code::usage, "'" + text + "' is no whole number of KiB: write 512K, 10M, 2G");
  return bytes;
}

void known(std::span<const std::string_view> names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end())
    throw Error(Code::usage, fmt::format("no limit '{}': there is {}", name, fmt::join(names, ", ")));
}

template <typename Add>
Rates rates_of(const std::string& text, std::span<const std::string_view> names, const Add& add) {
  Rates rates;
  if (text == kNone) {
    for (const auto name : names) rates.emplace(name, 0);
    return rates;
  }
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t end = std::min(text.find(',', from), text.size());
    const std::string item = text.substr(from, end - from);
    const std::size_t colon = item.find(':');
    if (colon == std::string::npos)
      throw Error(Code::usage, fmt::format("'{}': write NAME:VALUE, the names being {}", item, fmt::join(names, ", ")));
    add(rates, item.substr(0, colon), item.substr(colon + 1));
    from = end + 1;
  }
  return rates;
}

void check_directions(const Rates& rates, const std::string& total) {
  const auto given = [&](const std::string& name) {
    const auto found = rates.find(name);
    return found != rates.end() && found->second != 0;
  };
  if (given(total) && (given(total + "-read") || given(total + "-write")))
    throw Error(Code::usage,
                fmt::format("{0} limits both directions together: write {0}, or {0}-read and {0}-write", total));
}

template <typename Value>
void replace(std::optional<Value>& value, const std::optional<Value>& by) {
  if (by) value = by;
}

}  // namespace

bool LimitValues::empty() const {
  return !cpu_quota_percent && !cpu_shares && !memory_bytes && !cpu_pin && disks.empty() && interfaces.empty();
}

void LimitValues::take(const LimitValues& other) {
  replace(cpu_quota_percent, other.cpu_quota_percent);
  replace(cpu_shares, other.cpu_shares);
  replace(memory_bytes, other.memory_bytes);
  replace(cpu_pin, other.cpu_pin);
  for (const auto& [device, rates] : other.disks) disks[device] = rates;
  for (const auto& [device, rates] : other.interfaces) interfaces[device] = rates;
}

void set_limit(LimitValues& limits, std::string_view name, const std::string& text) {
  if (name == "cpu-quota") limits.cpu_quota_percent = percent(text);
  if (name == "cpu-shares")
    limits.cpu_shares = static_cast<std::uint64_t>(base::parse_integer(text, 2, kMostShares, "shares"));
  if (name == "memory-limit") limits.memory_bytes = whole_kib(text);
  if (name == "cpu-pin") {
    if (text.empty() || (text != kNone && text.find_first_not_of("0123456789,-") != std::string::npos))
      throw Error(Code::usage, "'" + text + "': write host CPUs, as 0-3,8, or none");
    limits.cpu_pin = text;
  }
}

void add_disk_rate(Rates& rates, const std::string& name, const std::string& text) {
  known(kDiskNames, name);
  rates[name] = name.starts_with("bps") ? (text == kNone ? 0 : base::parse_size(text))
                : text == kNone         ? 0
                                : static_cast<std::uint64_t>(base::parse_integer(text, 0, kMostIops, "requests"));
  for (const char* total : {"iops", "bps"}) check_directions(rates, total);
}

void add_net_rate(Rates& rates, const std::string& name, const std::string& text) {
  known(kNetNames, name);
  rates[name] = whole_kib(text);
  if (rates[name] > kMostNetBytes) throw Error(Code::usage, "'" + text + "' a second is more than 1T");
}

Rates disk_rates(const std::string& text) { return rates_of(text, kDiskNames, add_disk_rate); }
Rates net_rates(const std::string& text) { return rates_of(text, kNetNames, add_net_rate); }

}  // namespace muster::cli
