// Which machines a command is about, and on which hypervisor each is: hosts of an inventory with their `hypervisor` and
// `domain`, domains of one connection, or one `URI#domain`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/hypervisor_workers.h"
#include "cli/program.h"
#include "cli/run_output.h"

namespace muster::cli {

struct VmTarget {
  std::string name;    // as the user knows it: inventory host, or domain
  std::string uri;     // of its hypervisor
  std::string domain;  // there
  // Where its SSH server listens, as far as the inventory says.
  std::string address = {};  // name or number; empty: it does not say
  std::uint16_t port = 0;    // 0: it does not say
};

enum class Purpose {
  look,     // an unnamed default connection will do
  change,   // the inventory or the connection must be named
  retire,   // the same; also one in the trash, if it is named exactly
  restore,  // the same, of those in the trash
};

// What its restore points are called: URI#DOMAIN is no name for one.
std::string point_name(const VmTarget& target);

struct VmSelection {
  std::vector<VmTarget> targets;
  HostNames names;  // of the targets, in their order
};

// Throws base::Error{usage} when nothing matches, or a host says no hypervisor; {refused} for --expect; and what the
// default connection's list of domains throws.
VmSelection select_machines(const Program& program, HypervisorWorkers& workers, const std::string& pattern,
                            Purpose purpose);

// The machine of that name, whether it is there or not: URI#DOMAIN, a host of the inventory, or a domain of the named
// connection. No hypervisor is asked. Throws base::Error{usage} where none is named.
VmTarget machine_to_be(const Program& program, const std::string& name);

// For what reads or writes a machine's images as files: what lies under the same path here must not be taken for them.
// Throws base::Error{unsupported} for a libvirt URI that names a host.
void check_is_on_this_host(const VmTarget& target);

// The hypervisors that a command without a pattern is about: those of the inventory, or the one connection.
std::vector<std::string> all_hypervisors(const Program& program);

// The same, for what changes something there. Throws base::Error{usage} where neither the inventory nor the connection
// was named.
std::vector<std::string> named_hypervisors(const Program& program);

// All hosts of the inventory that say their hypervisor; none where no inventory is used.
std::vector<VmTarget> inventory_machines(const Program& program);

}  // namespace muster::cli
