// Waiting for one descriptor with a deadline and a way out: the only place where a thread at work on a host blocks.
// Any thread.
#pragma once

#include <string>

#include "base/context.h"
#include "parallel-ssh/cancel.h"

namespace muster::ssh {

struct Patience {
  base::TimePoint deadline;
  const CancelSignal* cancel;

  std::chrono::milliseconds left() const;
};

// Waits until `events` (POLLIN, POLLOUT) or an error condition is there; returns what poll(2) found.
// Throws base::Error{timeout} as `timed out WHAT` at the deadline, base::Error{cancelled} when cancelled.
short wait_for(int fd, short events, const Patience& patience, const std::string& what);

// How long to wait before try number `attempt` + 2 (`attempt` counts from 0): `first`, doubled each time for at most
// five times, and of that a random half to one and a half, so that what was turned away together does not come back
// together.
std::chrono::milliseconds jittered_pause(std::chrono::milliseconds first, int attempt);

// As wait_for without a descriptor: sleeps until `until`, or throws at the deadline or when cancelled.
void pause_until(base::TimePoint until, const Patience& patience, const std::string& what);

}  // namespace muster::ssh
