// What a domain may take of its host: processor time, processors, memory, disk and network rates. Read and set, of the
// running domain or of its definition, one call of libvirt each. Which units drivers count in stays in here. Errors:
// base::Error{unsupported} where the driver or the host's kernel cannot do it, with their words. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "virt/connection.h"
#include "virt/resources.h"

namespace muster::virt {

// 0, everywhere below: no limit.

struct CpuTime {
  std::uint64_t quota_percent = 0;      // of one host CPU, the machine as a whole
  std::optional<std::uint64_t> shares;  // its weight against others; nullopt: the driver's own
};
CpuTime cpu_time(const Domain& domain, When when);
void set_cpu_quota(const Domain& domain, std::uint64_t percent, When when);
void set_cpu_shares(const Domain& domain, std::uint64_t shares, When when);

using HostCpus = std::set<unsigned>;
unsigned host_cpu_count(const Domain& domain);
// For each virtual CPU the host CPUs that may run it.
std::vector<HostCpus> cpu_pins(const Domain& domain, When when);
// All virtual CPUs.
void pin_cpus(const Domain& domain, const HostCpus& cpus, When when);

std::uint64_t memory_limit(const Domain& domain, When when);
void set_memory_limit(const Domain& domain, std::uint64_t bytes, When when);
// Whether a domain with a memory limit can start: its host's libvirtd must be allowed to limit locked memory. nullopt:
// that cannot be seen from here.
std::optional<bool> may_limit_memory(const Connection& connection);

// Requests and bytes a second; of both directions together, or of each.
struct DiskLimits {
  std::uint64_t iops = 0, read_iops = 0, write_iops = 0;
  std::uint64_t bytes = 0, read_bytes = 0, write_bytes = 0;
  bool operator==(const DiskLimits&) const = default;
};
DiskLimits disk_limits(const Domain& domain, const std::string& target, When when);
// All of them; what bursts were allowed is gone.
void set_disk_limits(const Domain& domain, const std::string& target, const DiskLimits& limits, When when);

// Bytes a second, as the guest sees the directions; whole KiB.
struct NetLimits {
  std::uint64_t in_bytes = 0, out_bytes = 0;
  bool operator==(const NetLimits&) const = default;
};
NetLimits net_limits(const Domain& domain, const std::string& mac, When when);
void set_net_limits(const Domain& domain, const std::string& mac, const NetLimits& limits, When when);

}  // namespace muster::virt
