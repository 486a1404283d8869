// A guest that holds still, so that its disks are whole as they are: file systems frozen, or all of it paused. It never
// stays so: it goes on with the object, and should this process hang or die, by a process that watches it. Not
// thread-safe.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/child_process.h"
#include "base/context.h"
#include "virt/domain.h"

namespace muster::vm {

// A program that leaves its process group, to outlive this process, writes kWatching on its standard output once it
// watches, and lets the guest go on when its standard input ends before it read a line, or after its own time.
using Watchdog = std::vector<std::string>;
inline constexpr std::string_view kWatching = "watching\n";

// Nothing is held before its watchdog watches: base::Error{io} where it ends, {timeout} after 10 s.

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
  base::ChildProcess watchdog_;
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
  base::ChildProcess watchdog_;
  base::TimePoint began_;
  bool paused_ = true;
};

// Tries until the guest says it has thawed: its agent may have to come up first. Returns how many file systems were
// frozen until now. Throws base::Error{timeout}, and {unreachable} once libvirtd is gone.
int thaw_within(const base::Context& ctx, const virt::Domain& domain, std::chrono::seconds patience);

}  // namespace muster::vm
