// What a backup job may do to its guest, and when it is too much. What the guest overwrites is copied into scratch
// files first; QEMU fails the guest's write where there is no room for that, and pauses the guest (error policy
// `enospc`, https://libvirt.org/formatdomain.html) until somebody resumes it. So a job ends before that.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "virt/domain.h"

namespace muster::vm {

// As much as a guest may overwrite between two looks.
inline constexpr std::uint64_t kLeastScratchBytes = std::uint64_t{128} << 20U;

struct GuardedJob {
  std::string mark;                      // part of the names of its scratch files: another job is not ended
  std::vector<std::string> directories;  // of those files; none where they are another host's
};

// Which of the directories has less room than that, as a complaint; empty: none, as far as they can be looked at.
std::string complaint_of_room(const std::vector<std::string>& directories);

// Whether the guest stands still because a write of its failed.
bool stands_still(const virt::Domain& domain);

// Ends that job, if it runs, and lets the guest go on where it stood still. Returns whether it ran. Throws what
// virt::end_job() throws.
bool end_guarded_job(const virt::Domain& domain, const GuardedJob& job);

}  // namespace muster::vm
