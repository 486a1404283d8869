// A real Debian (tests/testbed/cloud-guest) for a Guest: systemd, cloud-init, OpenSSH and the agent, as distributors
// put them together. For what the small guest only imitates: what a distribution makes of a seed, of keys and of a
// machine-id that are there already. Under emulation it is up in half a minute to a minute. Not thread-safe.
#pragma once

#include <string>

#include "tests/e2e/guest.h"

namespace muster::e2e {

// As it comes from a distributor: no host keys, an empty machine-id. Made when it is first asked for, in a minute or
// two and with packages from the network. The first boot makes both; the console tells the host keys at every boot.
GuestImage cloud_guest_image();

// The same as if it had run already, as the machine `master`: what its copies must not be taken for.
struct CloudMaster {
  GuestImage image;
  std::string host_key;  // "ssh-ed25519 BASE64"
  std::string machine_id;
};
CloudMaster cloud_master();
// That machine without cloud-init. Its one interface has this address.
CloudMaster plain_master();
inline constexpr const char* kMastersInterface = "52:54:00:5e:ed:01";

// What a file of the guest holds, by its agent and no program of the guest's; at most 1 MiB. Throws Error{io}.
std::string file_in_guest(const Hypervisor& hypervisor, const std::string& domain, const std::string& path);

}  // namespace muster::e2e
