// Which images belong to a machine and to nobody else, so that they may go with it. An image is somebody else's too if
// another domain's definition names it, or the chain of another domain's image, or of any image beside them, is built
// on it. Two paths of one file are found out (virt/image_files.h), and where that cannot be, it is told as `unseen`.
// What other hypervisors do with shared storage is not known here. Thread-safe.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/context.h"
#include "virt/connection.h"
#include "virt/image_files.h"
#include "virt/moments.h"

namespace muster::vm {

struct ImageClaim {
  std::string target = {};              // of its disk: `vda`; of an image under it: the disk's
  std::string path = {};                // or what stands for one, of storage without paths
  std::string kept_because = {};        // never the machine's alone: `a CD-ROM`, `read-only`, ...; empty: it may be
  bool remains = false;                 // it is the machine's, but cannot be removed through the hypervisor
  std::vector<std::string> users = {};  // who else uses it: `domain 'web02'`, `image /x/clone.qcow2`
};

struct Ownership {
  std::vector<ImageClaim> images;
  std::vector<std::string> unseen;  // where nobody could look, or look through, with the reason
};

struct Belongings {
  virt::Domain domain;
  std::vector<virt::Moment> snapshots = {};
  std::set<std::string> noted = {};  // paths of images that somebody wrote down as the domain's
};

// Of the disks of a domain, of what lies under them and was a disk in its own snapshots, and of what was noted as its
// own and is there. Reads all pools anew, and asks every domain. Throws base::Error{unsupported} for a driver without
// storage.
Ownership ownership(const base::Context& ctx, const virt::Connection& connection, const Belongings& belongings);

// The judgement alone. `own`: images of the machine, whose use of each other counts for nothing.
struct OtherDomain {
  std::string name;
  std::set<std::string> paths;  // that its definition names
};
std::vector<std::string> users_of(const std::string& path, const std::set<std::string>& own,
                                  const std::vector<OtherDomain>& others, const virt::ImageListing& listing);

}  // namespace muster::vm
