// Looking after a guest whose holder was killed: what that had asked for, a freeze or a pause, may be under way in
// libvirtd, and reach the guest after it was thawed. So it is looked at again for a while, unless somebody holds it
// anew, who takes it over from there first. Between processes of one host and user, by an abstract Unix socket.
#pragma once

#include <chrono>
#include <string>

#include "base/unique_fd.h"

namespace muster::vm {

// As long as libvirtd lets a call wait for its turn (30 s), and an agent for its answer.
inline constexpr std::chrono::seconds kLateHold{35};

class GuestCare {
 public:
  // Takes it over from another one. Where no socket can be had, nobody can take it over.
  explicit GuestCare(const std::string& uuid);
  // Waits; true once somebody took the guest over: then it is to be let alone, and whoever did waits for the end of
  // this object.
  bool taken_over_within(std::chrono::milliseconds wait);

 private:
  base::UniqueFd listener_, taker_;
};

// Before a guest is held: whoever still looks after it stops, and has stopped once this returns; it waits for that for
// some seconds at most. Nobody is fine.
void take_guest_over(const std::string& uuid);

}  // namespace muster::vm
