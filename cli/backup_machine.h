// The disks of one machine of a hypervisor as they were at one moment, for one restore point: of a running machine over
// a backup job, of one that is off out of its images. Blocks on the hypervisor and on disks. One thread's.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "backup/create.h"
#include "base/error.h"
#include "cli/backup_images.h"
#include "cli/disk_access.h"
#include "cli/hypervisor_workers.h"
#include "cli/vm_selection.h"

namespace muster::cli {

struct MachineOptions {
  std::string freeze = "auto";  // auto, require, none
  bool pause = false;
  std::string scratch;               // empty: beside each image
  std::vector<std::string> without;  // disks that are left out
};

// What all machines of one run share that are reached alike. All references outlive what is made of it.
struct MachineSources {
  const base::Context& ctx;
  HypervisorWorkers& workers;
  const backup::Repository& repository;
  const MachineOptions& options;
  std::string runtime_directory;
  std::string session_directory;  // of the user's own libvirt
  std::shared_ptr<const DiskAccess> disks;
};

// Of this host. In main's thread.
MachineSources machine_sources(const base::Context& ctx, HypervisorWorkers& workers,
                               const backup::Repository& repository, const MachineOptions& options);

class MachineBackup {
 public:
  // `history`: its restore points there, by time. Throws base::Error{not_found, unreachable, timeout, busy, refused,
  // unsupported, io, cancelled}.
  MachineBackup(const MachineSources& sources, const VmTarget& target,
                const std::vector<backup::RestorePoint>& history);
  MachineBackup(const MachineBackup&) = delete;
  MachineBackup& operator=(const MachineBackup&) = delete;
  // As if it had never begun, unless finish() was called.
  ~MachineBackup();

  // Disks, parts, machine, consistency, and what to compare with.
  void describe(backup::CreateRequest& request) const;
  // How long the guest stood still.
  std::chrono::milliseconds held() const { return held_; }
  // After its disks could not be read: ends it, and throws base::Error{no_space} where that was because what the guest
  // overwrites had no room.
  void explain_failure(const base::Error& failure);
  // After the restore point holds: the next backup goes on from it. What goes wrong is a warning.
  void finish();

 private:
  void begin(const nlohmann::json& facts);
  void open_running(const nlohmann::json& begun);
  void take_parts(const nlohmann::json& facts);
  void open_stopped(const nlohmann::json& facts);
  OpenedImage open_stopped_disk(const std::string& disk, const std::string& path, const std::string& format);
  void check_still_off() const;
  nlohmann::json unrecorded(const nlohmann::json& facts) const;
  void check_encrypted_disks(const nlohmann::json& disks, bool active) const;
  void give_up();
  std::string kept_checkpoint() const;
  std::string end(const std::string& keep);

  const MachineSources& sources_;
  const VmTarget& target_;
  const backup::RestorePoint* latest_ = nullptr;
  // The one at which the checkpoint began that the latest names, where that is of this very machine: what bitmaps
  // record is relative to it, and to none after it.
  const backup::RestorePoint* known_ = nullptr;
  std::string label_, checkpoint_;
  bool from_latest_ = false;  // some disk is taken to be as the latest point has it
  bool running_ = false, finished_ = false;
  std::chrono::milliseconds held_{};
  std::string consistency_;
  std::vector<backup::PartSource> parts_;
  backup::MachinePoint machine_;
  std::vector<OpenedImage> disks_;
};

}  // namespace muster::cli
