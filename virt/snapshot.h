// Snapshots of a domain as libvirt knows them. Made here only inside the images (qcow2), with the memory of a running
// domain: libvirt before 9.9 can neither go back to a snapshot outside of them, nor remove it from under another kind.
// Blocks as long as memory takes to be written or read. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "virt/domain.h"

namespace muster::virt {

struct Snapshot {
  std::string name;
  std::string parent;          // empty: none
  std::string state;           // of the domain then: `running`, `paused`, `shutoff`, `disk-snapshot`
  std::int64_t created_s = 0;  // seconds since 1970
  std::string description;
  bool current = false;   // the domain went on from here
  bool external = false;  // some of it lies in files of its own
};

// In the order in which they were made.
std::vector<Snapshot> snapshots(const Domain& domain);

// Throws base::Error{unsupported} in the driver's words for what cannot have a snapshot inside its images (raw disks,
// firmware with its own flash).
void create_snapshot(const Domain& domain, const std::string& name, const std::string& description);
// The domain is as it was then: running or not, and its definition too. Throws base::Error{not_found}, {unsupported},
// {refused}.
void revert_to_snapshot(const Domain& domain, const std::string& name);
// Its children become its parent's. Throws base::Error{not_found}, {unsupported} for what this libvirt cannot remove.
void delete_snapshot(const Domain& domain, const std::string& name);

// The guest's file systems, through its agent, which has `patience` to answer. Throws base::Error{unsupported} where
// there is no agent, {timeout}.
void freeze_file_systems(const Domain& domain, int patience_s);
// How many were frozen until now.
int thaw_file_systems(const Domain& domain, int patience_s);

}  // namespace muster::virt
