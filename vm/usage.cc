#include "vm/usage.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "virt/attempts.h"
#include "vm/tombstone.h"

namespace muster::vm {
namespace {

constexpr std::chrono::seconds kNodePatience{3};
constexpr double kNanosecondsPerSecond = 1e9;

template <typename Number>
Rate rate(const std::optional<Number>& before, const std::optional<Number>& after, double seconds) {
  if (!before || !after || *after < *before || seconds <= 0) return std::nullopt;
  return static_cast<double>(*after - *before) / seconds;
}

// Nanoseconds in a second, as a percentage.
Rate percent(const std::optional<std::uint64_t>& before, const std::optional<std::uint64_t>& after, double seconds) {
  const Rate ns = rate(before, after, seconds);
  return ns ? Rate(*ns / kNanosecondsPerSecond * 100) : std::nullopt;
}

template <typename Element, typename Key>
const Element* find(const std::vector<Element>& all, const Key& key, const std::string& wanted) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const Element& e) { return e.*key == wanted; });
  return found == all.end() ? nullptr : &*found;
}

DiskRates disk_rates(const virt::BlockStatistics* before, const virt::BlockStatistics& after, double seconds) {
  if (before == nullptr) return {};
  return {.read_bytes = rate(before->read_bytes, after.read_bytes, seconds),
          .read_requests = rate(before->read_requests, after.read_requests, seconds),
          .written_bytes = rate(before->written_bytes, after.written_bytes, seconds),
          .write_requests = rate(before->write_requests, after.write_requests, seconds)};
}

NetRates net_rates(const virt::NetStatistics* before, const virt::NetStatistics& after, double seconds) {
  if (before == nullptr) return {};
  const auto of = [&](std::uint64_t virt::NetStatistics::*counter) {
    return rate<std::uint64_t>(before->*counter, after.*counter, seconds);
  };
  return {.received_bytes = of(&virt::NetStatistics::received_bytes),
          .received_packets = of(&virt::NetStatistics::received_packets),
          .sent_bytes = of(&virt::NetStatistics::sent_bytes),
          .sent_packets = of(&virt::NetStatistics::sent_packets)};
}

MachineUsage machine_usage(const virt::DomainStatistics* before, const virt::DomainStatistics& after, double seconds) {
  static const virt::DomainStatistics kNothing;
  const auto& then = before == nullptr ? kNothing : *before;
  MachineUsage usage;
  usage.now = after;
  usage.cpu_percent = percent(then.cpu_ns, after.cpu_ns, seconds);
  usage.steal_percent = percent(then.steal_ns, after.steal_ns, seconds);
  if (const auto cpus = after.cpus.value_or(after.max_cpus.value_or(0)); usage.cpu_percent && cpus > 0)
    usage.cpu_share_percent = std::min(100.0, *usage.cpu_percent / cpus);
  for (const auto& disk : after.disks)
    usage.disks.push_back(disk_rates(find(then.disks, &virt::BlockStatistics::target, disk.target), disk, seconds));
  for (const auto& nic : after.interfaces)
    usage.interfaces.push_back(
        net_rates(find(then.interfaces, &virt::NetStatistics::device, nic.device), nic, seconds));
  return usage;
}

NodeUsage node_usage(const virt::NodeStatistics* before, const virt::NodeStatistics& after, double seconds) {
  NodeUsage usage{.now = after, .cpu_percent = {}, .io_wait_percent = {}};
  if (before == nullptr) return usage;
  const Rate user = percent(before->user_ns, after.user_ns, seconds);
  const Rate system = percent(before->system_ns, after.system_ns, seconds);
  const Rate idle = percent(before->idle_ns, after.idle_ns, seconds);
  const Rate io_wait = percent(before->io_wait_ns, after.io_wait_ns, seconds);
  if (!user || !system || !idle) return usage;
  // Against what the kernel counted, not the clock: both tick in steps.
  const double whole = *user + *system + *idle + io_wait.value_or(0);
  if (whole <= 0) return usage;
  usage.cpu_percent = (*user + *system) / whole * 100;
  if (io_wait) usage.io_wait_percent = *io_wait / whole * 100;
  return usage;
}

}  // namespace

Sample take_sample(const base::Context& ctx, const virt::Connection& connection) {
  virt::Attempts<virt::NodeStatistics> node;
  node.start([connection] { return virt::node_statistics(connection); });
  Sample sample;
  sample.machines = virt::prompt_statistics(ctx, connection, virt::Detail::all);
  std::erase_if(sample.machines, [](const auto& machine) { return in_trash(machine.domain); });
  sample.at = base::Clock::now();
  auto answer = node.first(ctx, kNodePatience);
  if (!answer) throw base::Error(base::Code::timeout, "ask " + connection.uri() + " about its host: no answer");
  sample.node = std::move(*answer);
  return sample;
}

Usage usage(const Sample* before, const Sample& after) {
  Usage usage;
  std::map<std::string, const virt::DomainStatistics*> earlier;
  if (before != nullptr) {
    usage.interval = std::chrono::duration_cast<std::chrono::milliseconds>(after.at - before->at);
    for (const auto& machine : before->machines) earlier[machine.domain.uuid()] = &machine;
  }
  const double seconds = std::chrono::duration<double>(usage.interval).count();
  for (const auto& machine : after.machines) {
    const auto then = earlier.find(machine.domain.uuid());
    usage.machines.push_back(machine_usage(then == earlier.end() ? nullptr : then->second, machine, seconds));
  }
  std::sort(usage.machines.begin(), usage.machines.end(),
            [](const auto& a, const auto& b) { return a.now.domain.name() < b.now.domain.name(); });
  usage.node = node_usage(before == nullptr ? nullptr : &before->node, after.node, seconds);
  return usage;
}

}  // namespace muster::vm
