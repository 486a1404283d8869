// What a clone's metadata say of where it comes from (part `clone`). Thread-safe.
#pragma once

#include <optional>
#include <string>

#include "clone/clone_plan.h"
#include "virt/domain.h"
#include "virt/metadata.h"

namespace muster::clone {

struct CloneMark {
  std::string uuid;  // of the machine: a mark goes with its definition wherever that is copied
  std::string master;
  unsigned generation = 0;
  CloneKind kind = CloneKind::linked;
  std::string since;  // RFC 3339
};

virt::MetadataElement to_metadata(const CloneMark& mark);
// nullopt: it is no clone, or its definition was copied from one.
std::optional<CloneMark> clone_mark(const virt::Domain& domain);

}  // namespace muster::clone
