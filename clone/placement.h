// Which hypervisor each new clone goes to: a value, out of what the hypervisors said. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace muster::clone {

struct Place {
  std::string uri;
  bool has_master = false;
  std::uint64_t free_memory_bytes = 0;
  std::uint64_t free_disk_bytes = 0;  // of the pool for clones, where it is known already; 0: not known
  std::size_t of_the_group = 0;       // machines that the new ones shall be apart from
};

struct ToPlace {
  std::string name;
  std::optional<std::string> uri = std::nullopt;  // where it is already, or has to be
};

enum class Spread {
  no,   // all to the first place, one that has the master if any has
  yes,  // where fewest of the group are, then where most memory is left, then most room on the disk
};

struct Demand {
  std::uint64_t memory_bytes = 0, disk_bytes = 0;  // of one clone
};

// For each in order, the index of its place. Throws base::Error{usage} for a `uri` that is no place.
std::vector<std::size_t> place(const std::vector<ToPlace>& machines, std::vector<Place> places, Spread spread,
                               const Demand& demand);

}  // namespace muster::clone
