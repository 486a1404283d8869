// What clones are to be made of a master, as their user wrote it: a value, before any hypervisor was asked.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "clone/generation.h"
#include "clone/guest_identity.h"
#include "vm/machine_spec.h"

namespace muster::clone {

enum class CloneKind {
  automatic,
  linked,   // holds what differs from the master's image, and needs that
  reflink,  // shares its blocks with the master's image, as long as both are the same; needs nothing
  full,     // a copy
};
const char* name_of(CloneKind kind);
CloneKind clone_kind_named(std::string_view name);

struct WantedClone {
  std::string name;
  std::optional<StaticAddress> fixed = std::nullopt;
};

struct CloneRequest {
  MasterName master;
  CloneKind kind = CloneKind::automatic;
  std::string pool = {};                        // empty: that of the master's images
  std::optional<unsigned> cpus = std::nullopt;  // nullopt: as the master
  std::optional<std::uint64_t> memory_bytes = std::nullopt;
  std::uint64_t size_bytes = 0;                   // of the first disk; 0: as the master's
  std::vector<vm::NetworkRequest> networks = {};  // empty: as the master's; one of kind `none`: none
  std::vector<std::string> ssh_keys = {};
  std::string user = "root";  // whose they become, where the guest reads no seed
  std::string user_data = {};
  bool give_host_keys = false;  // in the seed, where nobody can hear of those that guests make
  bool autostart = false;
  std::string mac_prefix = {};            // empty: the usual one
  std::set<std::string> taken_macs = {};  // by machines of other hypervisors
  std::vector<WantedClone> machines = {};
};

// For the way to a hypervisor's worker. Both ends are of one version: nothing is optional.
nlohmann::json to_json(const CloneRequest& request);
CloneRequest clone_request_from(const nlohmann::json& json);

}  // namespace muster::clone
