// What a backup job may do to its guest, and when it is too much. What the guest overwrites is copied into scratch
// files first; QEMU fails the guest's write where there is no room for that, and stops the guest (error policy
// `enospc`, https://libvirt.org/formatdomain.html) until somebody resumes it. So a job ends before that, and whoever
// ends one lets the guest go on. Blocks on libvirt.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "virt/backup_job.h"
#include "virt/domain.h"

namespace muster::vm {

// As much as a guest may overwrite between two looks.
inline constexpr std::uint64_t kLeastScratchBytes = std::uint64_t{128} << 20U;

// Which of the directories has less room than that, as a complaint; empty: none, as far as that can be told.
std::string complaint_of_room(const std::set<std::string>& directories);

// Whether the guest stands still because there was no room for a write of its.
bool stands_still(const virt::Domain& domain);

// The job whose scratch files' names have `mark` in them; nullopt: it does not run.
std::optional<virt::RunningJob> find_job(const virt::Domain& domain, const std::string& mark);

// Ends the job unless it is another one by now, and lets the guest go on where it stands still; returns once both is
// so, after some seconds at most. Throws what virt::end_job() and virt::resume() throw; to try again is right.
void end_job_and_go_on(const virt::Domain& domain, const virt::RunningJob& job);

}  // namespace muster::vm
