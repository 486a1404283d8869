// All domains of a connection: one after the other, and facts that libvirt gives away with their list, by one call
// each, however many they are. Thread-safe.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "base/context.h"
#include "virt/connection.h"

namespace muster::virt {

// Calls `look` with each domain. One that is gone since they were listed is passed over: what `look` throws as
// base::Error{not_found} is taken for that. Throws {cancelled} between two.
void for_each_domain(const base::Context& ctx, const Connection& connection,
                     const std::function<void(const Domain&)>& look);

enum class Trait { autostart, persistent, has_snapshots, has_saved_image };

// UUIDs of the domains that have it; empty where the driver does not tell.
std::set<std::string> uuids_with(const Connection& connection, Trait trait);

std::size_t snapshot_count(const Domain& domain);
std::vector<std::string> snapshot_names(const Domain& domain);

}  // namespace muster::virt
