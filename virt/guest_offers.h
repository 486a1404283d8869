// What kind of machine a connection's driver can make: from its capabilities, as libvirt tells them. Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "virt/connection.h"

namespace muster::virt {

struct GuestOffer {
  std::string domain_type;  // `kvm` where the host accelerates, else `qemu`, ...
  std::string os_type;      // `hvm`, `exe`, ...
  std::string arch;
  std::string machine;  // versioned, of the newest PC type or the architecture's usual one; empty: the driver has none
  bool emulated = false;         // every instruction is: `qemu` without KVM
  std::string uefi_loader = {};  // path of the firmware that definitions are to name; empty: libvirt sees to it
};

// For the host's own architecture, or else the first there is. Throws base::Error{unsupported} where the driver makes
// no machines at all.
GuestOffer guest_offer(const Connection& connection);

// Whether machines of that kind can have UEFI firmware; false where the driver does not say.
bool offers_uefi(const Connection& connection, const GuestOffer& offer);

// Names of the virtual networks, and whether one is active. Empty where the driver has none.
struct NetworkFacts {
  std::string name;
  bool active = false;
};
std::vector<NetworkFacts> networks(const Connection& connection);

}  // namespace muster::virt
