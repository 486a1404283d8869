// What all domains of a connection are doing, in one call where the driver has it (QEMU, LXC from libvirt 9.5 on), else
// in several a domain. Counters since the domain's start; rates are the reader's. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "virt/connection.h"

namespace muster::virt {

struct BlockStatistics {
  std::string target;  // `vda`
  std::string path;
  std::optional<std::uint64_t> read_bytes, read_requests, written_bytes, write_requests;
  std::optional<std::uint64_t> capacity_bytes;    // what the guest sees
  std::optional<std::uint64_t> allocation_bytes;  // highest byte written, or used on the host
  std::optional<std::uint64_t> physical_bytes;    // of the image
};

struct NetStatistics {
  std::string device;  // the hypervisor's
  std::uint64_t received_bytes = 0, received_packets = 0, received_errors = 0, received_drops = 0;
  std::uint64_t sent_bytes = 0, sent_packets = 0, sent_errors = 0, sent_drops = 0;
};

// nullopt: the driver, or the guest, does not say.
struct DomainStatistics {
  Domain domain;
  State state = State::unknown;
  // The domain was busy with a job, or did not answer: only what libvirt itself knows is here.
  bool stale = false;
  std::optional<std::uint64_t> cpu_ns, cpu_user_ns, cpu_system_ns;
  std::optional<std::uint64_t> steal_ns;  // waited for a processor, all virtual CPUs together
  std::optional<unsigned> cpus, max_cpus;
  std::optional<std::uint64_t> memory_bytes, max_memory_bytes;               // what it has, may have
  std::optional<std::uint64_t> resident_bytes;                               // what it takes of the host
  std::optional<std::uint64_t> unused_bytes, available_bytes, usable_bytes;  // what the guest's balloon driver says
  std::vector<BlockStatistics> disks;
  std::vector<NetStatistics> interfaces;
};

enum class Detail {
  no_monitor,  // what libvirt knows without asking any emulator: state, CPU time, interfaces
  outline,     // state, CPUs, memory, disks: cheap
  all,         // also I/O counters and what the guest says
};

// All domains, running or not. Does not wait for domains that are busy; the first one to ask an emulator that hangs
// does not return before it is over.
std::vector<DomainStatistics> statistics(const Connection& connection, Detail detail);

// The same, where emulators that hang hold up nobody: their domains are stale. Takes a second longer for the first few
// that find one hanging. Throws base::Error{timeout} when the hypervisor itself does not answer, {cancelled}.
std::vector<DomainStatistics> prompt_statistics(const base::Context& ctx, const Connection& connection, Detail detail);

// Sizes of one disk, of a domain that runs or not; empty where its image cannot be looked at.
struct DiskSizes {
  std::optional<std::uint64_t> capacity_bytes, allocation_bytes, physical_bytes;
};
DiskSizes disk_sizes(const Domain& domain, const std::string& target);

// What a running domain's guest has read of that disk. Throws base::Error where the domain is off.
std::uint64_t guest_read_bytes(const Domain& domain, const std::string& target);

// The host's own.
struct NodeStatistics {
  std::string host_name, model;
  std::uint64_t memory_bytes = 0, free_memory_bytes = 0;
  unsigned cpus = 0;
  std::optional<std::uint64_t> user_ns, system_ns, idle_ns, io_wait_ns;
};
NodeStatistics node_statistics(const Connection& connection);

}  // namespace muster::virt
