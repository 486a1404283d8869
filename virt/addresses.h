// The addresses a running domain has, as far as anybody on its hypervisor knows. The guest agent has 3 seconds to
// answer. Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "virt/domain.h"

namespace muster::virt {

struct GuestAddress {
  std::string interface;  // as the source names it: `vnet0`, `eth0`
  std::string mac;
  std::string address;  // without prefix length
  int prefix = 0;
};

enum class AddressSource {
  leases,  // of libvirt's own DHCP servers
  agent,   // the guest agent's answer
  arp,     // the hypervisor's neighbour table
};

// Loopback and link-local addresses are left out. Empty where the source knows nothing, or there is none.
std::vector<GuestAddress> addresses(const Domain& domain, AddressSource source);
// The first source that knows any: leases, then the agent, then the neighbour table.
std::vector<GuestAddress> addresses(const Domain& domain);
// Of all sources in that order, each address once: a lease may be of a start long ago.
std::vector<GuestAddress> all_addresses(const Domain& domain);

}  // namespace muster::virt
