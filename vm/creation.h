// Carries a Making out, in an order in which a program may be killed anywhere. First the machine is defined
// without disks, with a mark in its metadata that says who makes it and which volumes will be made: this takes the
// name, for nobody else can then define it. The volumes follow; then one call of libvirt's gives the machine its disks
// and takes the mark away. Until then nobody can start it with half a disk, and whoever finds the mark knows what to
// remove. Not thread-safe; two that make the same machine meet at the first step.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "virt/connection.h"
#include "virt/creation_mark.h"
#include "virt/metadata.h"
#include "vm/machine_spec.h"
#include "vm/maker.h"
#include "vm/making.h"

namespace muster::vm {

// Changes the volumes once they are there, before the machine has them. Returns what its metadata is to say of that.
// Where it throws for want of room, as programs of others tell it, that becomes base::Error{no_space}.
using Furnish = std::function<std::vector<virt::MetadataElement>(const base::Context&)>;

class Creation {
 public:
  // `maker`: mark_of_this_process().
  Creation(const virt::Connection& connection, Making making, virt::CreationMark maker, Furnish furnish = {});

  bool done() const { return next_ == steps_.size(); }
  void step(const base::Context& ctx);

  // Removes what was made so far, or throws base::Error{io} naming what cannot be removed; the mark stays then.
  void undo();

  const virt::Domain& domain() const { return *domain_; }

 private:
  using Step = std::function<void(const base::Context&)>;
  std::string marked_xml() const;
  void check_variables(const base::Context& ctx) const;
  void reserve(const base::Context& ctx);
  void make_volume(const base::Context& ctx, const PlannedVolume& volume);
  void fill_volume(const base::Context& ctx, const PlannedVolume& volume);
  void write_variables(const base::Context& ctx);
  void furnish(const base::Context& ctx);
  // It is somebody else's.
  void disown(const virt::VolumeName& volume);
  void complete();

  const virt::Connection& connection_;
  Making making_;
  virt::CreationMark mark_;
  Furnish furnish_;
  std::vector<Step> steps_;
  std::size_t next_ = 0;
  std::optional<virt::Domain> domain_;
  std::string seed_content_;
  std::vector<virt::VolumeName> tried_;  // volumes that are ours, if they are there
};

// What a program left half made under that name, or is at making.
struct Leftover {
  virt::Domain domain;
  virt::CreationMark mark;
};
std::optional<Leftover> find_leftover(const virt::Connection& connection, const std::string& name);

// As for its maker, naming its volumes.
void check_abandoned(const Leftover& leftover, TakeOver take_over);
// Removes it, the mark last. Returns the names of what it removed. Throws base::Error{refused} for a volume that
// another machine or image uses by now (disk_ownership.h), {busy} where it was ended meanwhile.
std::vector<std::string> remove(const base::Context& ctx, const virt::Connection& connection, const Leftover& leftover);

struct CreateOptions {
  bool start = false;
  TakeOver take_over = TakeOver::from_the_dead;
  Furnish furnish = {};
};
// Makes what was planned, after removing what an earlier try left under the name, with a note. When anything goes
// wrong, or a stop is requested, what was made is removed again. Throws what libvirt says, {refused} for a name that
// another machine has by now.
virt::Domain make(const base::Context& ctx, const virt::Connection& connection, const Making& making,
                  const CreateOptions& options);

// Plans a machine and makes it. Throws what plan_creation() and make() throw.
virt::Domain create(const base::Context& ctx, const virt::Connection& connection, const MachineRequest& request,
                    const CreateOptions& options);

}  // namespace muster::vm
