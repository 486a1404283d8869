// A guest whose file systems are frozen, so that its disks are whole as they are. It never stays frozen: it is thawed
// with the object, and should this process hang or die, by a process that watches it. Not thread-safe.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/child_process.h"
#include "base/context.h"
#include "virt/domain.h"

namespace muster::vm {

class FrozenGuest {
 public:
  // `watchdog`: a program that leaves its process group, to outlive this process, and thaws the guest when its standard
  // input ends before it read a line, or after its own time. Throws base::Error{unsupported} where the guest has no
  // agent, {timeout} when that does not answer within `patience`; the guest is thawed then, too.
  FrozenGuest(const virt::Domain& domain, std::chrono::seconds patience, const std::vector<std::string>& watchdog);
  FrozenGuest(const FrozenGuest&) = delete;
  FrozenGuest& operator=(const FrozenGuest&) = delete;
  ~FrozenGuest();

  // Throws base::Error when the guest does not thaw; the watchdog goes on trying.
  void thaw();

 private:
  void call_off();

  const virt::Domain& domain_;
  std::chrono::seconds patience_;
  base::ChildProcess watchdog_;
  bool frozen_ = true;
};

// Tries until the guest says it has thawed: its agent may have to come up first. Throws base::Error{timeout}.
void thaw_within(const base::Context& ctx, const virt::Domain& domain, std::chrono::seconds patience);

}  // namespace muster::vm
