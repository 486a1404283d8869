// The moment of a backup, in which the guest holds still: frozen by its agent, else paused, as asked; noted in the
// machine's metadata, so that whoever comes after a crash of all who were to let it go on finds it held. Not
// thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "base/context.h"
#include "virt/domain.h"
#include "vm/quiesce.h"

namespace muster::vm {

enum class Freeze { automatic, required, none };

struct HoldRequest {
  Freeze freeze = Freeze::automatic;
  bool pause = false;  // where it is not frozen
  std::chrono::seconds budget{5};
  Watchdog thaw_watchdog, resume_watchdog;
};

class GuestHold {
 public:
  // Throws base::Error{refused} where it cannot be frozen with Freeze::required. What it is given outlives it.
  GuestHold(const base::Context& ctx, const virt::Domain& domain, const HoldRequest& request);
  GuestHold(const GuestHold&) = delete;
  GuestHold& operator=(const GuestHold&) = delete;
  ~GuestHold();

  // What the disks are worth: `filesystem`, `paused`, `crash`; and for how long the guest stood still.
  std::pair<std::string, std::chrono::milliseconds> end();

 private:
  void freeze();
  void note(const std::string& how);
  void drop_note();
  // Whether it stood still until now. Where it may still do, the note stays, for whoever comes next.
  bool end_hold();

  const base::Context& ctx_;
  const virt::Domain& domain_;
  const HoldRequest& request_;
  std::unique_ptr<FrozenGuest> frozen_;
  std::unique_ptr<PausedGuest> paused_;
  base::TimePoint began_;
};

// A hold that an interrupted backup left. Throws base::Error{busy} where another host's may be under way.
void end_left_hold(const base::Context& ctx, const virt::Domain& domain);

}  // namespace muster::vm
