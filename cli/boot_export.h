// All disks of one restore point, served for a machine that runs from them, and kept up: a server that dies is started
// again in the same place. Main's thread alone.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "backup/restore_point.h"
#include "cli/backup_export.h"
#include "cli/backup_repository.h"
#include "cli/boot_directory.h"

namespace muster::cli {

class BootExport {
 public:
  struct Manner {
    ExportOptions::Writes writes = ExportOptions::Writes::refused;
    std::optional<SocketOwner> owner;
  };
  // All outlive it. Returns once all can be connected to. Throws what DiskExport throws.
  BootExport(const OpenedRepository& opened, const backup::RestorePoint& point, const BootDirectory& directory,
             const Manner& manner);

  // By disk.
  const std::map<std::string, std::string>& sockets() const { return sockets_; }
  // Starts those anew that have ended. Returns how many. Throws base::Error{io} where one ends again and again.
  unsigned keep_up();

 private:
  void start(const std::string& disk);

  const OpenedRepository& opened_;
  const backup::RestorePoint& point_;
  const BootDirectory& directory_;
  const Manner manner_;
  std::map<std::string, std::string> sockets_;
  std::map<std::string, std::unique_ptr<DiskExport>> servers_;
  unsigned restarts_left_;
};

}  // namespace muster::cli
