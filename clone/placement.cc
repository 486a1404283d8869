#include "clone/placement.h"

#include <algorithm>
#include <tuple>

#include "base/error.h"

namespace muster::clone {
namespace {

using base::Code;
using base::Error;

std::uint64_t less(std::uint64_t room, std::uint64_t taken) { return room > taken ? room - taken : 0; }

void put(Place& place, const Demand& demand) {
  ++place.of_the_group;
  place.free_memory_bytes = less(place.free_memory_bytes, demand.memory_bytes);
  place.free_disk_bytes = less(place.free_disk_bytes, demand.disk_bytes);
}

std::size_t best(const std::vector<Place>& places) {
  const auto worse = [](const Place& a, const Place& b) {
    // Fewest of the group first; then more is better.
    return std::tuple(b.of_the_group, a.free_memory_bytes, a.free_disk_bytes) <
           std::tuple(a.of_the_group, b.free_memory_bytes, b.free_disk_bytes);
  };
  return static_cast<std::size_t>(std::max_element(places.begin(), places.end(), worse) - places.begin());
}

std::size_t named(const std::vector<Place>& places, const ToPlace& machine) {
  const auto found =
      std::find_if(places.begin(), places.end(), [&](const auto& place) { return place.uri == *machine.uri; });
  if (found == places.end())
    throw Error(Code::usage, "'" + machine.name + "' belongs on " + *machine.uri +
                                 ", which is not among the "
                                 "hypervisors that are asked: add it with --on");
  return static_cast<std::size_t>(found - places.begin());
}

}  // namespace

std::vector<std::size_t> place(const std::vector<ToPlace>& machines, std::vector<Place> places, Spread spread,
                               const Demand& demand) {
  const auto with_master = std::find_if(places.begin(), places.end(), [](const auto& p) { return p.has_master; });
  const auto usual =
      with_master == places.end() ? std::size_t{0} : static_cast<std::size_t>(with_master - places.begin());
  std::vector<std::size_t> chosen(machines.size(), usual);
  // Those that have no choice first: they are in the way of the others.
  for (std::size_t i = 0; i < machines.size(); ++i)
    if (machines[i].uri) {
      chosen[i] = named(places, machines[i]);
      put(places[chosen[i]], demand);
    }
  if (spread == Spread::no) return chosen;
  for (std::size_t i = 0; i < machines.size(); ++i)
    if (!machines[i].uri) {
      chosen[i] = best(places);
      put(places[chosen[i]], demand);
    }
  return chosen;
}

}  // namespace muster::clone
