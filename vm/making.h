// What is done to make a machine (creation.h), whatever it is made of: a value, which may come from another process.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "virt/creation_mark.h"
#include "virt/storage.h"

namespace muster::vm {

struct PlannedVolume {
  std::string pool;
  virt::VolumeSpec spec;
  virt::VolumeName copy_of = {};  // empty: of nothing
  std::string content = {};       // of a seed; empty: nothing is written
  std::string target = {};        // which disk of the machine it becomes
};

struct Making {
  std::string uuid;
  std::string definition;  // XML of the whole machine, its disks on the volumes that are made
  std::vector<PlannedVolume> volumes;
  bool autostart = false;
  // Content for the file of UEFI variables that the definition names; empty: none, or that of the firmware's template.
  std::string variables = {};
};

nlohmann::json to_json(const Making& making);
// Of what to_json() made.
Making making_from_json(const nlohmann::json& json);

// What a machine on a volume of the pool has as its source, once that is made.
virt::DiskSource expected_source(const std::string& pool, const virt::PoolFacts& facts, const std::string& volume);

}  // namespace muster::vm
