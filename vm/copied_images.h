// The images that a move copies to its target: which they are, what speaks against it, and what a move that failed or
// was killed began over there, which it notes in the machine's metadata (part `copying`) beforehand. Images on the
// source are never touched. Block on storage of both; thread-safe for different machines.
#pragma once

#include <string>
#include <vector>

#include "base/context.h"
#include "virt/connection.h"
#include "virt/domain_xml.h"

namespace muster::vm {

struct CopiedImage {
  std::string target;  // `vda`
  std::string path;    // the same on both hypervisors
  std::string format;  // `qcow2`, `raw`
};

// The disks that are files of the machine's own. Others, which are read-only, shared between machines or on the
// network, have to be where both hypervisors see them.
std::vector<CopiedImage> images_to_copy(const virt::DomainXml& machine);

// What speaks against copying, in words: no pool for a directory, an image that is there already, no room.
std::vector<std::string> refusals_to_copy(const virt::Domain& domain, const virt::Connection& target);

// Makes empty images on the target to copy into, each noted before it is made. libvirt would make them itself, and take
// all of their capacity at once.
void make_copies(const base::Context& ctx, const virt::Domain& domain, const virt::Connection& target,
                 const std::vector<CopiedImage>& images);
// The copies are the machine's now.
void forget_copying(const virt::Domain& domain);

// Removes on the target what the note says was begun there and no domain over there has. What cannot be removed is
// told, and stays noted. Of another target than the note's: it is told what lies there.
void remove_copies(const base::Context& ctx, const virt::Domain& domain, const virt::Connection& target);

}  // namespace muster::vm
