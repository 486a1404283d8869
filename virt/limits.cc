#include "virt/limits.h"

#include <cstdlib>

#include <fmt/format.h>
#include <libvirt/libvirt.h>

#include "virt/libvirt_error.h"
#include "virt/owned.h"
#include "virt/typed_parameters.h"

namespace muster::virt {
namespace {

using base::Code;
using base::Error;

constexpr std::uint64_t kKib = 1024;
constexpr std::uint64_t kUsualPeriodUs = 100'000;

unsigned impact(When when) { return when == When::now ? VIR_DOMAIN_AFFECT_LIVE : VIR_DOMAIN_AFFECT_CONFIG; }

std::uint64_t at_least_zero(std::optional<std::int64_t> value) {
  return value && *value > 0 ? static_cast<std::uint64_t>(*value) : 0;
}

void read_scheduler(const Domain& domain, When when, TypedParameters& values) {
  // The number of values comes with the scheduler's name.
  const auto ask = [&](virTypedParameterPtr list, int* count) {
    if (list != nullptr) return virDomainGetSchedulerParametersFlags(domain.handle(), list, count, impact(when));
    const OwnedText name(virDomainGetSchedulerType(domain.handle(), count));
    return name ? 0 : -1;
  };
  if (!values.fill(ask)) throw_last("ask for the CPU limits of '" + domain.name() + "'");
}

// Drivers ignore or refuse names that they do not have, each in its own words: this one is in ours.
void need_value(const Domain& domain, When when, const char* name) {
  TypedParameters values;
  read_scheduler(domain, when, values);
  if (!values.integer(name))
    throw Error(Code::unsupported, fmt::format("the scheduler of '{}' has no {}", domain.name(), name));
}

void write_scheduler(const Domain& domain, const TypedParameters& values, When when) {
  if (virDomainSetSchedulerParametersFlags(domain.handle(), values.list(), values.count(), impact(when)) != 0)
    throw_last("limit the CPU time of '" + domain.name() + "'");
}

void read_disk(const Domain& domain, const std::string& target, When when, TypedParameters& values) {
  const auto ask = [&](virTypedParameterPtr list, int* count) {
    return virDomainGetBlockIoTune(domain.handle(), target.c_str(), list, count, impact(when));
  };
  if (!values.fill(ask)) throw_last(fmt::format("ask for the limits of {} of '{}'", target, domain.name()));
}

HostCpus cpus_of(const unsigned char* map, unsigned host_cpus) {
  HostCpus cpus;
  for (unsigned cpu = 0; cpu < host_cpus; ++cpu)
    if (VIR_CPU_USED(map, cpu)) cpus.insert(cpu);
  return cpus;
}

}  // namespace

CpuTime cpu_time(const Domain& domain, When when) {
  TypedParameters values;
  read_scheduler(domain, when, values);
  CpuTime time;
  const auto period = at_least_zero(values.integer(VIR_DOMAIN_SCHEDULER_GLOBAL_PERIOD));
  const auto quota = at_least_zero(values.integer(VIR_DOMAIN_SCHEDULER_GLOBAL_QUOTA));
  time.quota_percent = quota * 100 / (period == 0 ? kUsualPeriodUs : period);
  if (const auto shares = at_least_zero(values.integer(VIR_DOMAIN_SCHEDULER_CPU_SHARES)); shares != 0)
    time.shares = shares;
  return time;
}

void set_cpu_quota(const Domain& domain, std::uint64_t percent, When when) {
  need_value(domain, when, VIR_DOMAIN_SCHEDULER_GLOBAL_QUOTA);
  TypedParameters values;
  values.add_unsigned(VIR_DOMAIN_SCHEDULER_GLOBAL_PERIOD, kUsualPeriodUs);
  // The running domain's is lifted by -1; in the definition that would stay as a line, and 0 leaves none.
  const auto quota = static_cast<std::int64_t>(percent * kUsualPeriodUs / 100);
  values.add_signed(VIR_DOMAIN_SCHEDULER_GLOBAL_QUOTA, percent == 0 && when == When::now ? -1 : quota);
  write_scheduler(domain, values, when);
}

void set_cpu_shares(const Domain& domain, std::uint64_t shares, When when) {
  need_value(domain, when, VIR_DOMAIN_SCHEDULER_CPU_SHARES);
  TypedParameters values;
  values.add_unsigned(VIR_DOMAIN_SCHEDULER_CPU_SHARES, shares);
  write_scheduler(domain, values, when);
}

unsigned host_cpu_count(const Domain& domain) {
  const int count = virNodeGetCPUMap(virDomainGetConnect(domain.handle()), nullptr, nullptr, 0);
  if (count > 0) return static_cast<unsigned>(count);
  virNodeInfo info{};
  if (virNodeGetInfo(virDomainGetConnect(domain.handle()), &info) != 0) throw_last("ask for the host's CPUs");
  return VIR_NODEINFO_MAXCPUS(info);
}

std::vector<HostCpus> cpu_pins(const Domain& domain, When when) {
  const unsigned host_cpus = host_cpu_count(domain);
  const unsigned cpus = resources(domain, when).cpus;
  const std::size_t bytes = VIR_CPU_MAPLEN(host_cpus);
  std::vector<unsigned char> maps(bytes * cpus);
  const int count = virDomainGetVcpuPinInfo(domain.handle(), static_cast<int>(cpus), maps.data(),
                                            static_cast<int>(bytes), impact(when));
  if (count < 0) throw_last("ask where the CPUs of '" + domain.name() + "' may run");
  std::vector<HostCpus> pins;
  for (int cpu = 0; cpu < count; ++cpu)
    pins.push_back(cpus_of(maps.data() + bytes * static_cast<std::size_t>(cpu), host_cpus));
  return pins;
}

void pin_cpus(const Domain& domain, const HostCpus& cpus, When when) {
  const unsigned host_cpus = host_cpu_count(domain);
  std::vector<unsigned char> map(VIR_CPU_MAPLEN(host_cpus));
  for (const unsigned cpu : cpus) {
    if (cpu >= host_cpus)
      throw Error(Code::usage, fmt::format("there is no CPU {} on the host of '{}', which has {}, from 0 on", cpu,
                                           domain.name(), host_cpus));
    // As VIR_USE_CPU, which some builds warn about.
    map[cpu / 8] = static_cast<unsigned char>(map[cpu / 8] | 1U << cpu % 8);
  }
  const unsigned count = resources(domain, when).cpus;
  for (unsigned cpu = 0; cpu < count; ++cpu)
    if (virDomainPinVcpuFlags(domain.handle(), cpu, map.data(), static_cast<int>(map.size()), impact(when)) != 0)
      throw_last(fmt::format("pin CPU {} of '{}'", cpu, domain.name()));
}

std::uint64_t memory_limit(const Domain& domain, When when) {
  TypedParameters values;
  const auto ask = [&](virTypedParameterPtr list, int* count) {
    return virDomainGetMemoryParameters(domain.handle(), list, count, impact(when));
  };
  if (!values.fill(ask)) throw_last("ask for the memory limit of '" + domain.name() + "'");
  const auto kib = at_least_zero(values.integer(VIR_DOMAIN_MEMORY_HARD_LIMIT));
  return kib >= VIR_DOMAIN_MEMORY_PARAM_UNLIMITED ? 0 : kib * kKib;
}

void set_memory_limit(const Domain& domain, std::uint64_t bytes, When when) {
  TypedParameters values;
  values.add_unsigned(VIR_DOMAIN_MEMORY_HARD_LIMIT, bytes == 0 ? VIR_DOMAIN_MEMORY_PARAM_UNLIMITED : bytes / kKib);
  if (virDomainSetMemoryParameters(domain.handle(), values.list(), values.count(), impact(when)) != 0)
    throw_last("limit the memory of '" + domain.name() + "'");
}

DiskLimits disk_limits(const Domain& domain, const std::string& target, When when) {
  TypedParameters values;
  read_disk(domain, target, when, values);
  const auto value = [&](const char* name) { return at_least_zero(values.integer(name)); };
  return {.iops = value(VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_IOPS_SEC),
          .read_iops = value(VIR_DOMAIN_BLOCK_IOTUNE_READ_IOPS_SEC),
          .write_iops = value(VIR_DOMAIN_BLOCK_IOTUNE_WRITE_IOPS_SEC),
          .bytes = value(VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_BYTES_SEC),
          .read_bytes = value(VIR_DOMAIN_BLOCK_IOTUNE_READ_BYTES_SEC),
          .write_bytes = value(VIR_DOMAIN_BLOCK_IOTUNE_WRITE_BYTES_SEC)};
}

void set_disk_limits(const Domain& domain, const std::string& target, const DiskLimits& limits, When when) {
  TypedParameters before, values;
  read_disk(domain, target, when, before);
  values.add_unsigned(VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_IOPS_SEC, limits.iops);
  values.add_unsigned(VIR_DOMAIN_BLOCK_IOTUNE_READ_IOPS_SEC, limits.read_iops);
  values.add_unsigned(VIR_DOMAIN_BLOCK_IOTUNE_WRITE_IOPS_SEC, limits.write_iops);
  values.add_unsigned(VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_BYTES_SEC, limits.bytes);
  values.add_unsigned(VIR_DOMAIN_BLOCK_IOTUNE_READ_BYTES_SEC, limits.read_bytes);
  values.add_unsigned(VIR_DOMAIN_BLOCK_IOTUNE_WRITE_BYTES_SEC, limits.write_bytes);
  // libvirt refuses bursts that do not fit the new limits.
  for (const char* burst : {VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_IOPS_SEC_MAX, VIR_DOMAIN_BLOCK_IOTUNE_READ_IOPS_SEC_MAX,
                            VIR_DOMAIN_BLOCK_IOTUNE_WRITE_IOPS_SEC_MAX, VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_BYTES_SEC_MAX,
                            VIR_DOMAIN_BLOCK_IOTUNE_READ_BYTES_SEC_MAX, VIR_DOMAIN_BLOCK_IOTUNE_WRITE_BYTES_SEC_MAX})
    if (at_least_zero(before.integer(burst)) != 0) values.add_unsigned(burst, 0);
  if (virDomainSetBlockIoTune(domain.handle(), target.c_str(), values.list(), values.count(), impact(when)) != 0)
    throw_last(fmt::format("limit {} of '{}'", target, domain.name()));
}

NetLimits net_limits(const Domain& domain, const std::string& mac, When when) {
  TypedParameters values;
  const auto ask = [&](virTypedParameterPtr list, int* count) {
    return virDomainGetInterfaceParameters(domain.handle(), mac.c_str(), list, count, impact(when));
  };
  if (!values.fill(ask)) throw_last(fmt::format("ask for the limits of {} of '{}'", mac, domain.name()));
  return {.in_bytes = at_least_zero(values.integer(VIR_DOMAIN_BANDWIDTH_IN_AVERAGE)) * kKib,
          .out_bytes = at_least_zero(values.integer(VIR_DOMAIN_BANDWIDTH_OUT_AVERAGE)) * kKib};
}

void set_net_limits(const Domain& domain, const std::string& mac, const NetLimits& limits, When when) {
  TypedParameters values;
  values.add_short_unsigned(VIR_DOMAIN_BANDWIDTH_IN_AVERAGE, static_cast<unsigned>(limits.in_bytes / kKib));
  values.add_short_unsigned(VIR_DOMAIN_BANDWIDTH_OUT_AVERAGE, static_cast<unsigned>(limits.out_bytes / kKib));
  if (virDomainSetInterfaceParameters(domain.handle(), mac.c_str(), values.list(), values.count(), impact(when)) != 0)
    throw_last(fmt::format("limit {} of '{}'", mac, domain.name()));
}

}  // namespace muster::virt
