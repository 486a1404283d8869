// A guest that holds still, so that its disks are whole as they are: file systems frozen, or all of it paused. It never
// stays so: it goes on with the object, and should this process hang or die, by a process that watches it. Not
// thread-safe.
#pragma once

#include <chrono>

#include "base/context.h"
#include "virt/domain.h"
#include "vm/watchdog.h"

namespace muster::vm {

// Nothing is held before its watchdog, which lets the guest go on also after its own time, watches: base::Error{io}
// where it ends, {timeout} after 20 s.

class FrozenGuest {
 public:
  // Throws base::Error{unsupported} where the guest has no agent, {busy} where it is frozen already, {timeout} when
  // that does not answer within `patience`; the guest is thawed then, too.
  FrozenGuest(const virt::Domain& domain, std::chrono::seconds patience, const Watchdog& watchdog);
  FrozenGuest(const FrozenGuest&) = delete;
  FrozenGuest& operator=(const FrozenGuest&) = delete;
  ~FrozenGuest();

  // False: it was thawed by somebody else meanwhile. Throws base::Error when the guest does not thaw; the watchdog goes
  // on trying.
  bool thaw();
  // When it was asked to hold still.
  base::TimePoint began() const { return began_; }

 private:
  const virt::Domain& domain_;
  std::chrono::seconds patience_;
  WatchdogProcess watchdog_;
  base::TimePoint began_;
  bool frozen_ = true;
};

class PausedGuest {
 public:
  // Throws base::Error{refused} where the domain does not run.
  PausedGuest(const virt::Domain& domain, const Watchdog& watchdog);
  PausedGuest(const PausedGuest&) = delete;
  PausedGuest& operator=(const PausedGuest&) = delete;
  ~PausedGuest();

  // False: somebody else did meanwhile. Throws base::Error; the watchdog goes on trying.
  bool resume();
  base::TimePoint began() const { return began_; }

 private:
  const virt::Domain& domain_;
  WatchdogProcess watchdog_;
  base::TimePoint began_;
  bool paused_ = true;
};

// Tries until the guest says it has thawed: its agent may have to come up first. Returns how many file systems were
// frozen until now. Throws base::Error{timeout}, and {unreachable} once libvirtd is gone.
int thaw_within(const base::Context& ctx, const virt::Domain& domain, std::chrono::seconds patience);

}  // namespace muster::vm
