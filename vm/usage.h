// What machines and their host use, from two samples of libvirt's counters some time apart. Rates are a second's;
// percentages of a processor are of one unless said otherwise. Thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "virt/statistics.h"

namespace muster::vm {

struct Sample {
  base::TimePoint at;
  std::vector<virt::DomainStatistics> machines;
  virt::NodeStatistics node;
};
// Without what is in the trash. Blocks as virt::prompt_statistics does. Throws base::Error{timeout, cancelled} and what
// libvirt says.
Sample take_sample(const base::Context& ctx, const virt::Connection& connection);

// nullopt: not known, or the counter went backwards because the machine was started anew.
using Rate = std::optional<double>;

struct DiskRates {
  Rate read_bytes, read_requests, written_bytes, write_requests;
};
struct NetRates {
  Rate received_bytes, received_packets, sent_bytes, sent_packets;
};
struct MachineUsage {
  virt::DomainStatistics now;
  Rate cpu_percent;                  // 250: two and a half processors
  Rate cpu_share_percent;            // of all processors it has, at most 100
  Rate steal_percent;                // it wanted to run and had to wait
  std::vector<DiskRates> disks;      // as now.disks
  std::vector<NetRates> interfaces;  // as now.interfaces
};
struct NodeUsage {
  virt::NodeStatistics now;
  Rate cpu_percent, io_wait_percent;  // of all its processors
};
struct Usage {
  std::chrono::milliseconds interval{0};
  std::vector<MachineUsage> machines;  // sorted by name
  NodeUsage node;
};

// Rates between two samples of the same connection; without an earlier one there are none.
Usage usage(const Sample* before, const Sample& after);

}  // namespace muster::vm
