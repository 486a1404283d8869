// The seed that was made for a machine, noted in its metadata: a CD-ROM that goes when the machine goes. Thread-safe.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/context.h"
#include "virt/connection.h"
#include "virt/creation_mark.h"
#include "virt/metadata.h"

namespace muster::vm {

enum class SeedContent {
  settings,
  secrets,  // it must not stay longer than it is needed
};
virt::MetadataElement note_of_seed(const std::string& uuid, const virt::VolumeName& volume,
                                   SeedContent content = SeedContent::settings);

// Whether one was made, wherever it is now.
bool has_seed_noted(const virt::Domain& domain);
// Whether it was made with secrets, and was not destroyed since.
bool has_secret_seed(const virt::Domain& domain);

// Its path; nullopt: none was made, or it is gone, or its pool is not active.
std::optional<std::string> own_seed(const virt::Connection& connection, const virt::Domain& domain);

// Takes it out of its drive, and removes it. Whoever was killed in it calls it again. Throws base::Error{busy} where
// the guest has locked the drive for longer than `patience`: it is not pulled out of its hands.
void destroy_own_seed(const base::Context& ctx, const virt::Connection& connection, const virt::Domain& domain,
                      std::chrono::milliseconds patience);

}  // namespace muster::vm
