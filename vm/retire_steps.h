// The steps of a retirement, one by one: what each would do, what undoing it needs, and doing it. retire.cc takes them
// in order and keeps the journal. Each looks at how things are, and so can be taken again.
#pragma once

#include <optional>
#include <span>

#include "vm/disk_ownership.h"
#include "vm/retire.h"

namespace muster::vm {

struct RetireWork {
  const base::Context& ctx;
  const virt::Connection& connection;
  virt::Domain domain;
  const RetireOptions& options;
  Retirement journal;
  RetireOutcome outcome = {};

  std::optional<Ownership> known_images = {};  // empty: not asked for yet

  const Ownership& images();
};

struct RetireStep {
  Step step;
  PlannedStep (*plan)(RetireWork& work);
  // Puts into the journal what undoing needs, unless it is there. May be nullptr.
  void (*prepare)(RetireWork& work);
  // False: it turned out that it cannot be done, and may be left out.
  bool (*act)(RetireWork& work);
};
std::span<const RetireStep> retire_steps();

}  // namespace muster::vm
