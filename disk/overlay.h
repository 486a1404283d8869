// A qcow2 image that holds what differs from a disk that somebody serves. Blocks on the file system; any thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/context.h"

namespace muster::disk {

struct ServedBacking {
  std::string socket;  // of an NBD server of the raw disk; nobody has to serve it yet
  std::uint64_t size_bytes = 0;
};

// Whole and durable under its name, or not there at all; PATH.muster-partial until then. Of whole 512-byte sectors.
// Throws Error{refused} for a path that exists, Error{not_found, no_space, io, unsupported}.
void create_overlay(const base::Context& ctx, const std::string& path, const ServedBacking& backing);

}  // namespace muster::disk
