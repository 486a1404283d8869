// Giving a machine other CPUs and memory: what the running machine can take at once it gets now, and all of it is in
// the definition for the next start. Whatever was set is read back. Blocks until a running guest has followed, or its
// time is up. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "virt/resources.h"

namespace muster::vm {

struct ResourceChange {
  std::optional<unsigned> cpus, max_cpus;
  std::optional<std::uint64_t> memory_bytes, max_memory_bytes;  // whole MiB
};

struct Applied {
  enum class Setting { cpus, max_cpus, memory, max_memory };
  Setting setting = Setting::cpus;
  std::uint64_t wanted = 0;              // a count, or bytes
  bool now = false;                      // the running machine has it
  bool next_start = false;               // the definition has it
  std::optional<std::uint64_t> running;  // what the running machine has; nullopt: it is off
  std::string reason;                    // why not now, of a machine that runs
};
const char* name_of(Applied::Setting setting);  // `cpus`, `max-cpus`, ...

// `guest_patience`: how long a running guest may take to bring up CPUs or give memory back. The definition's maximum
// grows where less would not do; that is a change of its own in the answer. Throws base::Error{usage} for what
// contradicts itself, {refused} for a maximum below what the machine has, {io} where libvirt has something else than
// was set; and what libvirt throws for the definition. What the running machine cannot take is no error, where the
// definition can.
std::vector<Applied> set_resources(const base::Context& ctx, const virt::Domain& domain, const ResourceChange& change,
                                   std::chrono::milliseconds guest_patience);

}  // namespace muster::vm
