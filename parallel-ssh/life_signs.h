// Finds a dead peer: after a time of silence it is asked for a sign of life, and when several questions stay unanswered
// it counts as dead. Belongs to one thread.
#pragma once

#include <chrono>

#include "base/context.h"

namespace muster::ssh {

class LifeSigns {
 public:
  LifeSigns(std::chrono::milliseconds interval, int questions) : interval_(interval), questions_(questions) {}

  void heard() {
    last_sign_ = base::Clock::now();
    asked_ = 0;
  }
  // When to call question_due() next.
  base::TimePoint next() const { return last_sign_ + interval_; }
  // True: send a question now. Counted from the last question too, so that a thread held up elsewhere does not take its
  // own absence for the peer's silence.
  bool question_due() {
    if (dead() || base::Clock::now() < next()) return false;
    ++asked_;
    last_sign_ = base::Clock::now();
    return true;
  }
  bool dead() const { return asked_ >= questions_ && base::Clock::now() >= next(); }

 private:
  std::chrono::milliseconds interval_;
  int questions_;
  int asked_ = 0;
  base::TimePoint last_sign_ = base::Clock::now();
};

}  // namespace muster::ssh
