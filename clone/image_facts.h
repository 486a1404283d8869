// What is written down about an image of a master, and whether it is so still. Over any connection; block on storage,
// the reading of content as long as that takes. Thread-safe.
#pragma once

#include <functional>
#include <string>

#include "base/context.h"
#include "clone/generation.h"
#include "virt/connection.h"
#include "virt/storage.h"

namespace muster::clone {

// Bytes of the image that were read.
using ReadProgress = std::function<void(std::uint64_t bytes)>;

// Fills in all that is read off the volume; target, made and mode_before are the caller's.
MasterImage measured(const base::Context& ctx, const virt::Volume& volume, const ReadProgress& progress);

// By size, time of change and header, which whoever writes with common tools changes. Throws base::Error{corrupt} for
// an image that is not what was sealed, or is gone, saying what differs.
void check_unchanged(const base::Context& ctx, const virt::Connection& connection, const Generation& generation);

}  // namespace muster::clone
