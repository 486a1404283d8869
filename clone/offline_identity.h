// A clone's identity, written into its disks before it ever ran: for guests that read no seed. Linux alone. What the
// master had of its own, as its name, keys, leases and registrations, is replaced or removed; its file systems' UUIDs
// stay, for fstab and boot loader name them, and so do its logs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/context.h"
#include "clone/disk_reach.h"
#include "clone/guest_identity.h"
#include "disk/guest_root.h"
#include "virt/connection.h"
#include "virt/metadata.h"
#include "vm/making.h"

namespace muster::clone {

struct OfflineIdentity {
  std::string host_name;
  std::string uuid;                      // of the machine
  std::vector<std::string> ssh_keys;     // lines as in authorized_keys(5)
  std::string user = "root";             // whose they become
  std::optional<StaticAddress> fixed;    // of its first interface; else as the master has it
  std::vector<std::string> macs;         // of its interfaces
  std::vector<std::string> former_macs;  // of the master's, in the same order
};
nlohmann::json to_json(const OfflineIdentity& identity);
OfflineIdentity offline_identity_from(const nlohmann::json& json);

// Returns the public host keys that it has now, as lines `TYPE BASE64`; none: it has no SSH server that is known, or
// one that makes its own. Throws what GuestRoot does, and base::Error{unsupported} where it is no Linux, or nothing in
// it can be told a fixed address; {usage} for a user that it has not.
std::vector<std::string> write_identity(const base::Context& ctx, disk::GuestRoot& root,
                                        const OfflineIdentity& identity);

// The same on the volumes that were made for a machine. Returns what its metadata says of it: its host keys, if any.
std::vector<virt::MetadataElement> write_identity(const base::Context& ctx, const virt::Connection& connection,
                                                  const vm::Making& making, const OfflineIdentity& identity,
                                                  const DiskReach& reach);

}  // namespace muster::clone
