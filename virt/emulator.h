// What QEMU is on a connection beyond what libvirt makes of it: whom its processes belong to, which firmware it offers,
// and what its user-mode network does. Blocks on libvirt. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "virt/connection.h"
#include "virt/guest_offers.h"

namespace muster::virt {

// Whose processes new machines are, where libvirt gives them to somebody.
struct EmulatorUser {
  unsigned user = 0, group = 0;
};
std::optional<EmulatorUser> emulator_user(const Connection& connection);

// Paths of the firmware that machines of that kind may name as theirs.
std::vector<std::string> firmware_loaders(const Connection& connection, const GuestOffer& offer);

// Of a running domain with a user-mode network that forwards: the port of 127.0.0.1 that leads to the guest's `port`.
// nullopt: there is none. Asks QEMU itself, which libvirt notes as something that it does not support.
std::optional<std::uint16_t> forwarded_port(const Domain& domain, std::uint16_t port);

// The same, out of what QEMU says to `info usernet`. Pure.
std::optional<std::uint16_t> forwarded_port(const std::string& usernet, std::uint16_t port);

}  // namespace muster::virt
