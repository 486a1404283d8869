// The seed that was made for a machine, noted in its metadata: a CD-ROM that goes when the machine goes. And one with
// secrets, which goes before that. Thread-safe.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/context.h"
#include "virt/connection.h"
#include "virt/creation_mark.h"
#include "virt/metadata.h"

namespace muster::vm {

// `secret`: another seed of the same pool with secrets in it, which is in the drive for as long as they are needed.
virt::MetadataElement note_of_seed(const std::string& uuid, const virt::VolumeName& volume,
                                   const std::string& secret = "");

// Whether one was made, wherever it is now.
bool has_seed_noted(const virt::Domain& domain);
// Whether one with secrets was made, and was not destroyed since.
bool has_secret_seed(const virt::Domain& domain);

// The paths of those that are there; none: none was made, or it is gone, or its pool is not active.
std::vector<std::string> own_seeds(const virt::Connection& connection, const virt::Domain& domain);

// Puts the one without secrets in the drive, and removes the other: a drive without any would be another machine's to
// cloud-init. Whoever was killed in it calls it again. Throws base::Error{busy} where the guest has locked the drive
// for longer than `patience`, since it is not pulled out of its hands, or libvirt does not find the volume; {refused}
// where the pool is not active.
void destroy_secret_seed(const base::Context& ctx, const virt::Connection& connection, const virt::Domain& domain,
                         std::chrono::milliseconds patience);

}  // namespace muster::vm
