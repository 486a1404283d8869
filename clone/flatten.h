// Makes a machine's disks independent of the images they are built on: QEMU copies what they lack from below, while the
// machine runs; one that is off is started for it without running a single instruction, and off again afterwards, which
// its metadata (part `flattening`) say for whoever comes after a kill. Blocks for as long as copying takes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/context.h"
#include "virt/connection.h"
#include "virt/domain.h"

namespace muster::clone {

// In bytes, of one disk.
using FlattenProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// False: it stood alone already. When stopped, what was copied stays copied, and the next call goes on. Throws
// base::Error{refused} for images that are a master's, {refused, busy, unsupported} as block pulls do, {io} where one
// did not come to its end.
bool flatten(const base::Context& ctx, const virt::Connection& connection, const virt::Domain& domain,
             const FlattenProgress& progress);

// The disks that are built on other images, by target.
std::vector<std::string> built_on_others(const virt::Connection& connection, const virt::Domain& domain);

}  // namespace muster::clone
