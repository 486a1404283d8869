// The seed that was made for a machine, noted in its metadata: a CD-ROM that goes when the machine goes. Thread-safe.
#pragma once

#include <optional>
#include <string>

#include "virt/connection.h"
#include "virt/creation_mark.h"
#include "virt/metadata.h"

namespace muster::vm {

virt::MetadataElement note_of_seed(const std::string& uuid, const virt::VolumeName& volume);

// Its path; nullopt: none was made, or it is gone, or its pool is not active.
std::optional<std::string> own_seed(const virt::Connection& connection, const virt::Domain& domain);

}  // namespace muster::vm
