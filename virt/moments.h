// Snapshots and checkpoints as entries that libvirt keeps about a domain, apart from what images hold: written down,
// forgotten, registered again. A domain that is renamed has to have none: libvirt before 8.x refuses to rename one that
// has, and 9.0 puts checkpoints where it takes them for snapshots, and loses them when it is restarted (seen with
// 9.0.0). Thread-safe, as libvirt's handles are.
#pragma once

#include <string>
#include <vector>

#include "virt/domain.h"
#include "virt/metadata.h"

namespace muster::virt {

enum class MomentKind { snapshot, checkpoint };

struct Moment {
  std::string name;
  std::string xml;       // fit to be registered again; holds the secrets of the definition
  bool current = false;  // of snapshots: the one the next would be a child of
};

// Parents before their children. Empty for a driver that has none.
std::vector<Moment> moments(const Domain& domain, MomentKind kind);

// The entry alone; one that is not there is forgotten already. Throws base::Error{unsupported}.
void forget(const Domain& domain, MomentKind kind, const std::string& name);

// The entry alone, in place of one of the same name. Its parent must be there.
void register_again(const Domain& domain, MomentKind kind, const Moment& moment);

// Written down in metadata: `snapshot` and `checkpoint` elements, in the order given.
void put_moments(MetadataElement& part, MomentKind kind, const std::vector<Moment>& moments);
std::vector<Moment> moments_in(const MetadataElement& part, MomentKind kind);

}  // namespace muster::virt
