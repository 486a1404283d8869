// The hypervisor's part of a backup of a running machine: all disks at one moment, served over NBD by a backup job of
// libvirt, with a checkpoint from which the next backup knows what changed. What is read, and stored, is the caller's.
// Killed at any line, the next begin finds what is left and ends it. Blocks on libvirt and the guest. Not thread-safe
// for one machine.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/unique_fd.h"
#include "virt/domain.h"
#include "virt/domain_xml.h"
#include "vm/guest_hold.h"
#include "vm/watchdog.h"

namespace muster::vm {

// A disk as the latest restore point has it.
struct EarlierDisk {
  std::string target, source;
  std::uint64_t size_bytes = 0;
};

// What a backup can begin from: what the latest restore point in the repository says of the machine.
struct EarlierBackup {
  std::string checkpoint;      // its name; empty: there was none
  std::string checkpoint_xml;  // to register it again where libvirt forgot it
  std::vector<EarlierDisk> disks;
};

struct LiveRequest {
  std::string label;       // of the repository: checkpoints of other names are left alone
  std::string checkpoint;  // the new one's name, `LABEL-...`, which nobody can guess
  std::optional<EarlierBackup> earlier;
  std::vector<std::string> without;  // targets that are left out
  // Targets whose images can, or may, record nothing, and why: they are read whole, and the others as ever.
  std::map<std::string, std::string> unrecorded;
  std::string directory;  // of this domain, where QEMU may make a socket; not looked at with `scratch`
  // The hypervisor's files are another host's: the socket is in `directory`, whatever `scratch` says, and nothing of
  // what is left there is looked for.
  bool elsewhere = false;
  // For the socket, and what the guest overwrites meanwhile; empty: that goes beside each image.
  std::string scratch;
  HoldRequest hold;
  // Ends the job should this process die, and before it has no room: `stands` or `runs`, the new checkpoint's name and
  // the directories of the scratch files are added to its words (job_guard.h).
  Watchdog job_watchdog;
};

struct LiveDisk {
  std::string target, source, format;
  std::uint64_t size_bytes = 0;
  // Why it is to be read whole; empty: its export tells what changed since the earlier backup.
  std::string whole_because{};
  std::string bitmap{};    // of the new checkpoint in its image; empty: that is not of it
  bool encrypted = false;  // by the hypervisor
};

struct LiveBackup {
  std::string socket;
  std::string checkpoint_xml{};      // empty: no disk can record, or this hypervisor does not
  std::string consistency{};         // `filesystem`, `paused`, `crash`
  std::chrono::milliseconds held{};  // how long the guest was frozen, or paused
  std::vector<LiveDisk> disks{};
  // As long as it lives, and is not called off, the job is looked after. What it says is why the job was ended.
  std::unique_ptr<WatchdogProcess> watchdog{};
};

// A disk that a backup is of: no medium, nothing read-only.
bool is_backed_up(const virt::DiskElement& disk);

// Throws base::Error{unsupported} for machines of drivers that have neither backup jobs nor images of QEMU's.
void check_can_be_backed_up(const virt::Domain& domain);

// Of one machine, for as long as this lives: no other backup of it begins on this machine. Throws base::Error{busy}.
base::UniqueFd lock_backup(const std::string& runtime_directory, const virt::Domain& domain);

// Throws base::Error{refused} where the domain is off or, with Freeze::required, the guest cannot be frozen; {busy}
// where somebody else's backup job runs; {unsupported} for drivers without backup jobs; {no_space} where what the guest
// overwrites has no room. With lock_backup() held.
LiveBackup begin_live_backup(const base::Context& ctx, const virt::Domain& domain, const LiveRequest& request);

// Ends the job. `keep`: the checkpoint that the latest confirmed restore point names; all others with `label` are
// deleted, unless the domain is off: then the next backup deletes them.
void end_live_backup(const base::Context& ctx, const virt::Domain& domain, const std::string& label,
                     const std::string& keep);

}  // namespace muster::vm
