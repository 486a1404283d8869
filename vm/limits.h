// What a machine may take of its host: set for the running machine first, whose host says whether it can, then in the
// definition; whatever was set is read back, and a difference is an error. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "virt/connection.h"
#include "virt/limits.h"

namespace muster::vm {

// 0: no limit. nullopt: stays as it is.
struct DiskLimitChange {
  std::optional<std::uint64_t> iops, read_iops, write_iops, bytes, read_bytes, write_bytes;
};
struct NetLimitChange {
  std::optional<std::uint64_t> in_bytes, out_bytes;
};

inline constexpr const char* kAllDevices = "*";

struct LimitChange {
  std::optional<std::uint64_t> cpu_quota_percent, cpu_shares, memory_bytes;
  std::optional<std::string> cpu_pin;                // a CPU list, or `none`
  std::map<std::string, DiskLimitChange> disks;      // by target; kAllDevices: all disks
  std::map<std::string, NetLimitChange> interfaces;  // by MAC, or number from 1 on; kAllDevices
};

// One limit as it is: a number (percent, bytes, requests; 0: none), or a list of CPUs (empty: none).
using LimitValue = std::variant<std::uint64_t, std::string>;
struct Limit {
  std::string name;                           // `cpu-quota`, `memory-limit`, `iops`, `in`, ...
  std::string device;                         // `vda`, a MAC; empty: of the machine
  std::optional<LimitValue> now, next_start;  // nullopt: it does not run, or has no definition
  bool operator==(const Limit&) const = default;
};

// What the driver has no word for is left out.
std::vector<Limit> limits(const virt::Domain& domain);

// Throws base::Error{not_found} for a device that is not there, {refused} for a memory limit below the machine's
// memory, {unsupported} in the words of driver, host or kernel, {io} where something else was read back. What had been
// set before that stays, and the text names it.
void set_limits(const virt::Connection& connection, const virt::Domain& domain, const LimitChange& change);

}  // namespace muster::vm
