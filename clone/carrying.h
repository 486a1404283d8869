// Brings a master's generation to another hypervisor, as it is, holes left out, through the process that has both
// connections. What was carried is noted in the claims over there every kStretchBytes: whoever is cut off goes on from
// there. Block for as long as the line takes. Not thread-safe for one generation and target.
#pragma once

#include <string>

#include "base/context.h"
#include "clone/generation.h"
#include "clone/image_facts.h"
#include "virt/connection.h"
#include "vm/maker.h"

namespace muster::clone {

inline constexpr std::uint64_t kStretchBytes = 256ULL << 20;

// Both ends of the way.
struct Carriage {
  const virt::Connection& from;
  const virt::Connection& to;
  std::string pool;  // over there; empty: the one of the same name as here
  vm::TakeOver take_over = vm::TakeOver::from_the_dead;
};

// Returns the generation as it is over there: nothing is done where that is whole. Throws base::Error{corrupt} for one
// that is not what was sealed, here or after it came there, {unsupported} for images that are built on others,
// {refused} for another file of the name, {busy} while somebody else carries it, {no_space}.
Generation carry(const base::Context& ctx, const Carriage& carriage, const Generation& generation,
                 const ReadProgress& progress);

}  // namespace muster::clone
