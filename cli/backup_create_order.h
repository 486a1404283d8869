// What `muster backup create` is asked for, out of its options, before anything is opened.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backup/create.h"
#include "backup/retention.h"
#include "cli/backup_findings.h"
#include "cli/backup_machine.h"
#include "cli/settings.h"
#include "disk/image_file.h"

namespace muster::cli {

struct CreateOrder {
  std::vector<std::string> machines;  // names or patterns; else there are images
  MachineOptions machine_options;
  unsigned per_hypervisor = 2;             // machines at once
  unsigned audit_parts = 0;                // as backup::CreateRequest has them
  std::vector<std::string> before, after;  // commands, for each machine or area
  std::string name;                   // of the restore point: of images, or of one machine or area in place of its own
  std::vector<std::string> areas;     // words; else there are machines, or images
  std::vector<std::string> excludes;  // of areas
  bool one_file_system = false;
  std::vector<std::string> images;
  std::optional<disk::ImageFormat> format;
  std::vector<std::string> tags;
  bool skip_unchanged = false;
  bool base = false;  // a master, into the domain that all hosts may name chunks of
  backup::CreateOptions options;
  // What follows.
  backup::KeepPolicy policy;
  bool prune = false;
  std::optional<DataPart> check;
};

// Throws base::Error{usage}.
CreateOrder create_order(const Settings& settings, const std::vector<std::string>& words);

// --limit-rate; 0 where it was not given. Throws base::Error{usage}.
std::uint64_t limit_rate(const Settings& settings);

}  // namespace muster::cli
