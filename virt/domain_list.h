// Facts about all domains of a connection that libvirt gives away with the list: one call each, however many domains.
// Thread-safe.
#pragma once

#include <set>
#include <string>

#include "virt/connection.h"

namespace muster::virt {

enum class Trait { autostart, persistent, has_snapshots, has_saved_image };

// UUIDs of the domains that have it; empty where the driver does not tell.
std::set<std::string> uuids_with(const Connection& connection, Trait trait);

std::size_t snapshot_count(const Domain& domain);
std::vector<std::string> snapshot_names(const Domain& domain);

}  // namespace muster::virt
