// What `vm list` and `vm info` say of a machine. Gathered with few calls a hypervisor, not a machine: over a slow line
// each call is a round trip. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "virt/addresses.h"
#include "virt/connection.h"
#include "virt/domain_xml.h"

namespace muster::vm {

struct DiskFacts {
  std::string target, device, bus, format, source;
  std::optional<std::uint64_t> capacity_bytes, allocation_bytes;
};

struct MachineFacts {
  std::string name, uuid;
  virt::State state = virt::State::unknown;
  bool stale = false;  // it did not answer; the rest is what libvirt remembers
  unsigned cpus = 0;
  std::uint64_t memory_bytes = 0;
  bool autostart = false, persistent = false;
  std::size_t snapshots = 0;
  std::vector<DiskFacts> disks;
  std::vector<virt::GuestAddress> addresses;
};

// All machines of the connection but those in the trash, sorted by name.
std::vector<MachineFacts> list_machines(const base::Context& ctx, const virt::Connection& connection);

// What takes more calls, about one machine.
struct MachineDetails {
  MachineFacts facts;
  std::string reason;  // of its state
  std::string driver_type, machine, firmware, nvram;
  unsigned max_cpus = 0;
  std::uint64_t max_memory_bytes = 0;
  std::vector<virt::InterfaceElement> interfaces;
  bool agent = false;  // one is connected
  std::vector<std::string> snapshot_names;
};
MachineDetails describe(const virt::Domain& domain);

}  // namespace muster::vm
