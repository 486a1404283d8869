// What is done to make a machine (creation.h), whatever it is made of: a value, which may come from another process.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "virt/creation_mark.h"
#include "virt/storage.h"
#include "vm/machine_spec.h"

namespace muster::vm {

struct PlannedVolume {
  std::string pool;
  virt::VolumeSpec spec;
  virt::VolumeName copy_of = {};  // empty: of nothing
  // The pool's directory is this process's own, too: copies and seeds are written there, and not through libvirt, which
  // reads all of the pool anew after each.
  bool made_here = false;
  std::string copy_of_file = {};  // in place of `copy_of`, where it is made here
  bool shares_blocks = false;     // with that file: refused where that cannot be
  // It holds this seed, and is as large as that turns out to be; nullopt: nothing is written.
  std::optional<SeedRequest> seed = std::nullopt;
  std::string target = {};  // which disk of the machine it becomes
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

// A random one, as libvirt writes them.
std::string fresh_uuid();

// What a machine on a volume of the pool has as its source, once that is made.
virt::DiskSource expected_source(const std::string& pool, const virt::PoolFacts& facts, const std::string& volume);

}  // namespace muster::vm
