// The files and directories of a LossyFiles: what they are now, and what of it was not synced. Pure functions over
// plain data; not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace muster::fakes {

struct LossyNode;
using LossyNodePtr = std::shared_ptr<LossyNode>;

struct LossyNode {
  bool is_directory = false;
  std::chrono::sys_seconds modified = {};
  // Of a file.
  base::Bytes bytes = {};
  std::size_t synced_bytes = 0;
  const void* locked_by = nullptr;
  // Of a directory: what each name stands for, and what each unsynced name stood for, one after the other, from when
  // the directory was synced until now. Null: nothing.
  std::map<std::string, LossyNodePtr> names = {};
  std::map<std::string, std::vector<LossyNodePtr>> unsynced = {};
};

// Null: takes it away.
void set_name(LossyNode& directory, const std::string& name, LossyNodePtr node);
// `path` as its words between slashes. Null: there is nothing.
LossyNodePtr find(LossyNodePtr root, const std::string& path);
std::uint64_t size_of_all_files(const LossyNode& directory);
std::vector<std::string> paths_of_files(const LossyNode& directory, const std::string& prefix);

// Everything below it too, without locks. What has two names has two names again.
LossyNodePtr copy_of(const LossyNode& node);
// As LossyFiles::after_power_loss() has it.
LossyNodePtr survivor_of(const LossyNode& node, std::uint64_t seed);

}  // namespace muster::fakes
