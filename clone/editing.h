// Another generation of a master by copy-on-write: a machine of its own, `MASTER-edit`, whose disks are built on the
// newest generation's images; what was changed in it becomes the next generation, or goes. The machine's metadata (part
// `master_edit`) say what it is. Block on the hypervisor; promoting reads every byte of the new images.
#pragma once

#include <optional>
#include <string>

#include "base/context.h"
#include "clone/generation.h"
#include "clone/image_facts.h"
#include "virt/connection.h"
#include "vm/making.h"

namespace muster::clone {

struct EditPlan {
  Generation base;
  std::string machine;  // its name
  bool begun = false;   // it is there already
  vm::Making making;    // unless it is there
};

// Changes nothing. Throws base::Error{not_found}, {corrupt} for a master that is not what was sealed, {refused} for
// another machine of the name.
EditPlan plan_edit(const base::Context& ctx, const virt::Connection& connection, const std::string& master);

enum class Chain { kept, flattened };
// What was edited becomes a generation, and the machine goes. Whoever is killed in between calls it again. Throws
// base::Error{refused} while the machine is not off, {not_found} where none is being edited.
Generation promote(const base::Context& ctx, const virt::Connection& connection, const std::string& master, Chain chain,
                   const ReadProgress& progress);

// The machine goes, with what was changed. Throws as promote().
void abandon(const base::Context& ctx, const virt::Connection& connection, const std::string& master);

}  // namespace muster::clone
