// CPUs and memory of a domain: what it has and may have at most, now and from its next start on. One call of libvirt
// each; what is sensible to ask for is vm/'s. Errors: base::Error{unsupported} where the driver cannot do it, {refused}
// where the state or a maximum does not allow it. Thread-safe.
#pragma once

#include <cstdint>

#include "virt/domain.h"

namespace muster::virt {

enum class When {
  now,         // the running domain
  next_start,  // the definition
};

struct Resources {
  unsigned cpus = 0, max_cpus = 0;
  std::uint64_t memory_bytes = 0, max_memory_bytes = 0;
};
// As libvirt has them now. Of a running domain the memory is what the guest's balloon left it.
Resources resources(const Domain& domain, When when);

// The running domain has CPUs that were plugged in after its start.
bool has_plugged_cpus(const Domain& domain);

// Returns when libvirt has it in hand: a guest may take its time to bring a CPU on line, or give memory back.
void set_cpus(const Domain& domain, unsigned cpus, When when);
// `bytes`: a multiple of 1024.
void set_memory(const Domain& domain, std::uint64_t bytes, When when);
// In the definition: a running domain keeps its maximum.
void set_max_cpus(const Domain& domain, unsigned cpus);
void set_max_memory(const Domain& domain, std::uint64_t bytes);

}  // namespace muster::virt
