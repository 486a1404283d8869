// A backup job of libvirt, in pull mode: QEMU serves all disks of a running domain as they were at one moment, over NBD
// on a Unix socket, until the job ends; with it, at the same moment, a checkpoint: bitmaps that from then on record
// what changes. https://libvirt.org/formatbackup.html, https://libvirt.org/formatcheckpoint.html. Thread-safe, as
// libvirt's handles are; one job a domain.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "virt/domain.h"

namespace muster::virt {

struct JobDisk {
  std::string target;                // `vda`; also the name of its export
  std::optional<std::string> since;  // a checkpoint: its export tells what changed since; else it tells nothing
  // A file for what the guest overwrites meanwhile: libvirt makes it, and removes it.
  std::string scratch;
  std::string bitmap = {};  // of the new checkpoint in this disk; empty: that is not of it
};

struct JobRequest {
  std::string socket;          // where QEMU makes it: its user must be able to
  std::vector<JobDisk> disks;  // those that are left out are not served
  std::string checkpoint;      // the new one's name; empty, or no disk records: none
};

// The metadata context of NBD in which an export tells what changed.
std::string changes_context(const std::string& target);

// The moment that is served is within this call. Throws base::Error{busy} where another job runs, {unsupported} for
// drivers and disks that have no backup jobs, {refused}. Where it throws after the checkpoint was made, that stays.
void begin_job(const Domain& domain, const JobRequest& request);

struct RunningJob {
  std::string socket;                // empty where it has none
  std::vector<std::string> scratch;  // files
  bool operator==(const RunningJob&) const = default;
};
// nullopt where no backup job runs.
std::optional<RunningJob> running_job(const Domain& domain);

// Ends that job, which is how one ends in pull mode. Another one, or none, is fine.
void end_job(const Domain& domain, const RunningJob& job);

// Whether a disk has stopped because there was no room; false where that cannot be told.
bool has_full_disk(const Domain& domain);

// --- checkpoints

// The names of those that libvirt knows; empty for a driver without.
std::vector<std::string> checkpoint_names(const Domain& domain);
// As text that check_checkpoint() takes. Throws base::Error{not_found}.
std::string checkpoint_xml(const Domain& domain, const std::string& name);

// Registers what `xml` says as far as it is about `targets`, in place of what libvirt knows of that name, once libvirt
// has looked whether each of their bitmaps is there, whole, and records. Of a running domain. Throws base::Error with
// libvirt's words; then it may not be registered.
void check_checkpoint(const Domain& domain, const std::string& xml, const std::vector<std::string>& targets);

// With its bitmaps; where those are gone or broken, the entry alone. One that is not there is gone already. Throws
// base::Error{refused} where the domain is off.
void delete_checkpoint(const Domain& domain, const std::string& name);

// Of a disk, as the guest sees it. Throws base::Error.
std::uint64_t disk_size_bytes(const Domain& domain, const std::string& target);

}  // namespace muster::virt
