#include "virt/statistics.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "virt/attempts.h"
#include "virt/domain_xml.h"
#include "virt/libvirt_error.h"

namespace muster::virt {
namespace {

// The typed parameters of one record, by name. What has another type than asked for is not there.
class Parameters {
 public:
  Parameters(virTypedParameterPtr list, int count) : list_(list), count_(count) {}

  std::optional<std::uint64_t> number(const std::string& name) const {
    for (int i = 0; i < count_; ++i) {
      if (name != list_[i].field) continue;
      switch (list_[i].type) {
        case VIR_TYPED_PARAM_INT:
          return static_cast<std::uint64_t>(list_[i].value.i);
        case VIR_TYPED_PARAM_UINT:
          return list_[i].value.ui;
        case VIR_TYPED_PARAM_LLONG:
          return static_cast<std::uint64_t>(list_[i].value.l);
        case VIR_TYPED_PARAM_ULLONG:
          return list_[i].value.ul;
        default:
          return std::nullopt;
      }
    }
    return std::nullopt;
  }
  std::string text(const std::string& name) const {
    for (int i = 0; i < count_; ++i)
      if (name == list_[i].field && list_[i].type == VIR_TYPED_PARAM_STRING) return list_[i].value.s;
    return "";
  }
  std::optional<std::uint64_t> kibibytes(const std::string& name) const {
    const auto value = number(name);
    return value ? std::optional(*value << 10) : std::nullopt;
  }

 private:
  virTypedParameterPtr list_;
  int count_;
};

std::vector<BlockStatistics> disks_of(const Parameters& parameters) {
  std::vector<BlockStatistics> all;
  const auto count = parameters.number("block.count").value_or(0);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string lead = "block." + std::to_string(i) + ".";
    // With backing chains each image has an entry; only the first has no index of its own, or one for the top.
    all.push_back({.target = parameters.text(lead + "name"),
                   .path = parameters.text(lead + "path"),
                   .read_bytes = parameters.number(lead + "rd.bytes"),
                   .read_requests = parameters.number(lead + "rd.reqs"),
                   .written_bytes = parameters.number(lead + "wr.bytes"),
                   .write_requests = parameters.number(lead + "wr.reqs"),
                   .capacity_bytes = parameters.number(lead + "capacity"),
                   .allocation_bytes = parameters.number(lead + "allocation"),
                   .physical_bytes = parameters.number(lead + "physical")});
  }
  return all;
}

std::vector<NetStatistics> interfaces_of(const Parameters& parameters) {
  std::vector<NetStatistics> all;
  const auto count = parameters.number("net.count").value_or(0);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string lead = "net." + std::to_string(i) + ".";
    const auto counter = [&](const char* name) { return parameters.number(lead + name).value_or(0); };
    all.push_back({.device = parameters.text(lead + "name"),
                   .received_bytes = counter("rx.bytes"),
                   .received_packets = counter("rx.pkts"),
                   .received_errors = counter("rx.errs"),
                   .received_drops = counter("rx.drop"),
                   .sent_bytes = counter("tx.bytes"),
                   .sent_packets = counter("tx.pkts"),
                   .sent_errors = counter("tx.errs"),
                   .sent_drops = counter("tx.drop")});
  }
  return all;
}

std::optional<std::uint64_t> steal_of(const Parameters& parameters, unsigned cpus) {
  std::optional<std::uint64_t> sum;
  for (unsigned i = 0; i < cpus; ++i)
    if (const auto delay = parameters.number("vcpu." + std::to_string(i) + ".delay")) sum = sum.value_or(0) + *delay;
  return sum;
}

// libvirt remembers a domain's memory and the names of its disks; what it takes of the host and their counters it gets
// only while it holds the domain's job.
bool is_stale(const DomainStatistics& domain) {
  if (domain.state != State::running && domain.state != State::paused) return false;
  const bool counted = std::any_of(domain.disks.begin(), domain.disks.end(),
                                   [](const auto& disk) { return disk.read_bytes.has_value(); });
  return !domain.resident_bytes && !counted;
}

DomainStatistics from_record(const virDomainStatsRecord& record) {
  const Parameters parameters(record.params, record.nparams);
  virDomainRef(record.dom);
  DomainStatistics all;
  all.domain = Domain::adopt(record.dom);
  all.state = state_from_number(static_cast<int>(parameters.number("state.state").value_or(VIR_DOMAIN_NOSTATE)));
  all.cpu_ns = parameters.number("cpu.time");
  all.cpu_user_ns = parameters.number("cpu.user");
  all.cpu_system_ns = parameters.number("cpu.system");
  if (const auto n = parameters.number("vcpu.current")) all.cpus = static_cast<unsigned>(*n);
  if (const auto n = parameters.number("vcpu.maximum")) all.max_cpus = static_cast<unsigned>(*n);
  all.steal_ns = steal_of(parameters, all.max_cpus.value_or(0));
  all.memory_bytes = parameters.kibibytes("balloon.current");
  all.max_memory_bytes = parameters.kibibytes("balloon.maximum");
  all.resident_bytes = parameters.kibibytes("balloon.rss");
  all.unused_bytes = parameters.kibibytes("balloon.unused");
  all.available_bytes = parameters.kibibytes("balloon.available");
  all.usable_bytes = parameters.kibibytes("balloon.usable");
  all.disks = disks_of(parameters);
  all.interfaces = interfaces_of(parameters);
  all.stale = is_stale(all);
  return all;
}

// Drivers without the one call.
DomainStatistics asked_one_by_one(const Domain& domain) {
  DomainStatistics all;
  all.domain = domain;
  virDomainInfo info{};
  if (virDomainGetInfo(domain.handle(), &info) != 0) {
    all.stale = true;
    return all;
  }
  all.state = state_from_number(info.state);
  all.cpu_ns = info.cpuTime;
  all.cpus = info.nrVirtCpu;
  all.memory_bytes = static_cast<std::uint64_t>(info.memory) << 10;
  all.max_memory_bytes = static_cast<std::uint64_t>(info.maxMem) << 10;
  const DomainXml xml(domain.xml(Domain::Xml::current));
  all.max_cpus = xml.max_cpus();
  for (const auto& disk : xml.disks()) {
    BlockStatistics block;
    block.target = disk.target;
    block.path = disk.source;
    virDomainBlockStatsStruct counters{};
    if (domain.active() && virDomainBlockStats(domain.handle(), disk.target.c_str(), &counters, sizeof counters) == 0) {
      const auto known = [](long long n) { return n < 0 ? std::nullopt : std::optional<std::uint64_t>(n); };
      block.read_bytes = known(counters.rd_bytes);
      block.read_requests = known(counters.rd_req);
      block.written_bytes = known(counters.wr_bytes);
      block.write_requests = known(counters.wr_req);
    }
    all.disks.push_back(block);
  }
  for (const auto& interface : xml.interfaces()) {
    virDomainInterfaceStatsStruct counters{};
    if (interface.target.empty() ||
        virDomainInterfaceStats(domain.handle(), interface.target.c_str(), &counters, sizeof counters) != 0)
      continue;
    const auto known = [](long long n) { return n < 0 ? 0 : static_cast<std::uint64_t>(n); };
    all.interfaces.push_back({.device = interface.target,
                              .received_bytes = known(counters.rx_bytes),
                              .received_packets = known(counters.rx_packets),
                              .received_errors = known(counters.rx_errs),
                              .received_drops = known(counters.rx_drop),
                              .sent_bytes = known(counters.tx_bytes),
                              .sent_packets = known(counters.tx_packets),
                              .sent_errors = known(counters.tx_errs),
                              .sent_drops = known(counters.tx_drop)});
  }
  return all;
}

// How long a hypervisor is given until an emulator is taken to hang: a first time, and once more for each further one
// that hangs, since each attempt passes over those that hold up the ones before.
constexpr std::chrono::milliseconds kFirstPatience{3'000}, kNextPatience{1'000};
constexpr int kMoreAttempts = 2;

unsigned groups_of(Detail detail) {
  if (detail == Detail::no_monitor)
    return VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_INTERFACE;
  constexpr unsigned kOutline =
      VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_VCPU | VIR_DOMAIN_STATS_BALLOON | VIR_DOMAIN_STATS_BLOCK;
  return detail == Detail::outline ? kOutline : kOutline | VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_INTERFACE;
}

}  // namespace

std::vector<DomainStatistics> statistics(const Connection& connection, Detail detail) {
  virDomainStatsRecordPtr* records = nullptr;
  // Not ENFORCE: a group that the driver lacks is left out instead of being an error.
  const int count = virConnectGetAllDomainStats(connection.handle(), groups_of(detail), &records,
                                                VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
  std::vector<DomainStatistics> all;
  if (count < 0) {
    if (!last_is_unsupported()) throw_last("read the statistics of " + connection.uri());
    for (const auto& domain : connection.domains()) all.push_back(asked_one_by_one(domain));
    return all;
  }
  for (int i = 0; i < count; ++i) {
    all.push_back(from_record(*records[i]));
    // Drivers that answer with the state alone.
    if (detail != Detail::no_monitor && !all.back().memory_bytes && !all.back().max_memory_bytes)
      all.back() = asked_one_by_one(all.back().domain);
  }
  virDomainStatsRecordListFree(records);
  return all;
}

std::vector<DomainStatistics> prompt_statistics(const base::Context& ctx, const Connection& connection, Detail detail) {
  Attempts<std::vector<DomainStatistics>> attempts;
  attempts.start([connection, detail] { return statistics(connection, detail); });
  auto all = attempts.first(ctx, kFirstPatience);
  for (int more = 0; !all && more < kMoreAttempts; ++more) {
    attempts.start([connection, detail] { return statistics(connection, detail); });
    all = attempts.first(ctx, kNextPatience);
  }
  if (!all) {
    attempts.start([connection] { return statistics(connection, Detail::no_monitor); });
    all = attempts.first(ctx, kFirstPatience);
  }
  if (!all) throw base::Error(base::Code::timeout, "read the statistics of " + connection.uri() + ": no answer");
  return std::move(*all);
}

DiskSizes disk_sizes(const Domain& domain, const std::string& target) {
  virDomainBlockInfo info{};
  if (virDomainGetBlockInfo(domain.handle(), target.c_str(), &info, 0) != 0) return {};
  return {.capacity_bytes = info.capacity, .allocation_bytes = info.allocation, .physical_bytes = info.physical};
}

std::uint64_t guest_read_bytes(const Domain& domain, const std::string& target) {
  virDomainBlockStatsStruct counters{};
  if (virDomainBlockStats(domain.handle(), target.c_str(), &counters, sizeof counters) != 0)
    throw_last("ask what '" + domain.name() + "' has read");
  return counters.rd_bytes > 0 ? static_cast<std::uint64_t>(counters.rd_bytes) : 0;
}

NodeStatistics node_statistics(const Connection& connection) {
  NodeStatistics node;
  node.host_name = connection.host_name();
  virNodeInfo info{};
  if (virNodeGetInfo(connection.handle(), &info) != 0) throw_last("ask " + connection.uri() + " about its host");
  node.model = info.model;
  node.cpus = info.cpus;
  node.memory_bytes = static_cast<std::uint64_t>(info.memory) << 10;
  node.free_memory_bytes = virNodeGetFreeMemory(connection.handle());
  int count = 0;
  if (virNodeGetCPUStats(connection.handle(), VIR_NODE_CPU_STATS_ALL_CPUS, nullptr, &count, 0) == 0 && count > 0) {
    std::vector<virNodeCPUStats> times(static_cast<std::size_t>(count));
    virNodeGetCPUStats(connection.handle(), VIR_NODE_CPU_STATS_ALL_CPUS, times.data(), &count, 0);
    for (const auto& time : times) {
      const std::string field = time.field;
      if (field == VIR_NODE_CPU_STATS_USER) node.user_ns = time.value;
      if (field == VIR_NODE_CPU_STATS_KERNEL) node.system_ns = time.value;
      if (field == VIR_NODE_CPU_STATS_IDLE) node.idle_ns = time.value;
      if (field == VIR_NODE_CPU_STATS_IOWAIT) node.io_wait_ns = time.value;
    }
  }
  return node;
}

}  // namespace muster::virt
