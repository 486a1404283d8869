// The masters of a hypervisor: the claims beside the images in its active pools. Over any connection; block on storage.
// Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "base/context.h"
#include "clone/generation.h"
#include "virt/connection.h"

namespace muster::clone {

// By name, then number. What cannot be read is told as a warning.
std::vector<Generation> generations(const base::Context& ctx, const virt::Connection& connection);

// Of several the newest that is whole, if any is. Throws base::Error{not_found}, naming the masters there are.
Generation find_generation(const std::vector<Generation>& all, const MasterName& name, const std::string& uri);

// The first of a generation whose images are to be made: beside where each will be. Throws base::Error{refused} where
// somebody claims one already; then no claim of these is left.
void begin_claims(const base::Context& ctx, const virt::Connection& connection, const Generation& generation);
// Beside each image, in place of what is there.
void write_claims(const base::Context& ctx, const virt::Connection& connection, const Generation& generation);
// The generation that this image belongs to, whole or not.
std::optional<Generation> claim_of_image(const base::Context& ctx, const virt::Connection& connection,
                                         const std::string& image);

}  // namespace muster::clone
