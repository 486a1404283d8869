// Who looks after what of a machine, until somebody takes it over. A guest whose holder was killed: what that had asked
// for, a freeze or a pause, may be under way in libvirtd, and reach the guest after it was thawed, so it is looked at
// again for a while. A backup job, which is ended when whoever began it dies. Between processes of one host and user,
// by an abstract Unix socket.
#pragma once

#include <chrono>
#include <string>

#include "base/unique_fd.h"

namespace muster::vm {

// As long as libvirtd lets a call wait for its turn (30 s), and an agent for its answer.
inline constexpr std::chrono::seconds kLateHold{35};
// Of a hypervisor that is another host: what was sent to it may be sent again for so long.
inline constexpr std::chrono::seconds kFarLateHold{180};

enum class Charge { guest, job };

class Care {
 public:
  // Takes it over from another one. Where no socket can be had, nobody can take it over.
  Care(Charge charge, const std::string& uuid);
  // Waits; true once somebody took it over: then it is to be let alone, and whoever did waits for the end of this
  // object.
  bool taken_over_within(std::chrono::milliseconds wait);
  // Readable (poll) once somebody may want to; -1 where nobody can.
  int fd() const { return listener_.get(); }

 private:
  base::UniqueFd listener_, taker_;
};

// Whoever still looks after it stops, and has stopped once this returns; it waits for that for some seconds at most.
// Nobody is fine.
void take_over(Charge charge, const std::string& uuid);

}  // namespace muster::vm
