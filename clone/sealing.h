// Makes a generation of a master out of a machine that is off, or an image. In place, its images become read-only and
// get a claim each; or they are copied first, and the machine stays free. The claims are the journal: what a killed
// program left is finished, or removed, by the next that seals under the name. Block on the storage for as long as it
// takes to read every image once. Not thread-safe for one master.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "clone/generation.h"
#include "clone/image_facts.h"
#include "virt/connection.h"
#include "virt/domain.h"
#include "vm/maker.h"
#include "vm/tpm_state.h"

namespace muster::clone {

struct SealRequest {
  std::string source;  // a machine, or an image as POOL/VOLUME or an absolute path on the hypervisor
  std::string name;    // of the master
  bool copy = false;   // leave the source as it is
  std::string pool;    // for copies; empty: that of each image
  GuestKind guest = GuestKind::cloud_init;
  vm::TakeOver take_over = vm::TakeOver::from_the_dead;
  // Where its TPM's state is, for clones that are to have the same; nullopt: they begin with a new one.
  std::optional<vm::TpmDirectories> keep_tpm = std::nullopt;
};

struct SealPlan {
  Generation generation;               // its images without what is read off them
  std::vector<std::string> copied;     // paths of what each is a copy of; empty where nothing is copied
  std::optional<Generation> leftover;  // of an earlier try
  bool sealed_already = false;         // this very source, in this generation
};

// Changes nothing. Throws base::Error{refused} for a machine that runs or has saved memory, an image that another
// machine writes to, one that is built on an image that is no master's, one that is a master already; {busy} while
// somebody else is at it; {not_found}; {unsupported} for storage that is no file and is not copied, or a TPM of another
// host; {usage} where there is no TPM's state to keep.
SealPlan plan_sealing(const base::Context& ctx, const virt::Connection& connection, const SealRequest& request);

Generation seal(const base::Context& ctx, const virt::Connection& connection, const SealPlan& plan,
                const ReadProgress& progress);

// Throws base::Error{refused} for a machine whose disks are not at rest: one that runs, is half made or in the trash,
// or has saved memory.
void check_at_rest(const virt::Domain& domain);

// The last part of it: the images, which nobody writes to, are measured, made read-only, and claimed. Where the machine
// was started meanwhile, or an image changed, they are nobody's again, and this throws.
void seal_images(const base::Context& ctx, const virt::Connection& connection, Generation& generation,
                 const ReadProgress& progress);
// The very last: of images that are measured. Whoever was killed in it calls it again.
void claim_images(const base::Context& ctx, const virt::Connection& connection, Generation& generation);

}  // namespace muster::clone
