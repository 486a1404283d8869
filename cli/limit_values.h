// Limits of machines as users write them, on the command line and in profiles: `--cpu-quota 150%`,
// `--disk vda=iops:500,bps:50M`. Pure functions; errors are base::Error{usage}.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace muster::cli {

// By name: `iops`, `iops-read`, `iops-write`, `bps`, `bps-read`, `bps-write` of disks, `in`, `out` of interfaces. Bytes
// and requests a second; 0: no limit.
using Rates = std::map<std::string, std::uint64_t>;

struct LimitValues {
  std::optional<std::uint64_t> cpu_quota_percent, cpu_shares, memory_bytes;  // 0: no limit
  std::optional<std::string> cpu_pin;                                        // a list of host CPUs, or `none`
  std::map<std::string, Rates> disks;                                        // by target; `*`: all
  std::map<std::string, Rates> interfaces;                                   // by MAC or number; `*`: all

  bool empty() const;
  // What `other` has wins.
  void take(const LimitValues& other);
};

// `name`: cpu-quota, cpu-shares, cpu-pin, memory-limit.
void set_limit(LimitValues& limits, std::string_view name, const std::string& text);
// `iops:500,bps:50M`, or `none`.
Rates disk_rates(const std::string& text);
// `in:10M,out:10M`, or `none`.
Rates net_rates(const std::string& text);
// One `name` of these, with its value.
void add_disk_rate(Rates& rates, const std::string& name, const std::string& text);
void add_net_rate(Rates& rates, const std::string& name, const std::string& text);

}  // namespace muster::cli
