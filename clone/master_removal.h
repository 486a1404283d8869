// The end of a master's generation: its claims go, and the images that were made for it. Block on storage. Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "base/context.h"
#include "clone/dependants.h"
#include "clone/generation.h"
#include "virt/connection.h"

namespace muster::clone {

// Of generations that go together. Throws base::Error{refused} naming what else is built on one of them, or that nobody
// can see that.
void check_unneeded(const std::vector<Generation>& going, const Surroundings& around);

// The images that were made for it, each with its claim; others are writable again, as they were before. Returns the
// paths of what was removed. Whoever is killed in between calls it again.
std::vector<std::string> remove_images(const base::Context& ctx, const virt::Connection& connection,
                                       const Generation& generation);

// The claims alone, and the modes from before: the images stay.
void drop_claims(const base::Context& ctx, const virt::Connection& connection, const Generation& generation);

}  // namespace muster::clone
