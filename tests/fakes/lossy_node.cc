#include "tests/fakes/lossy_node.h"

#include <algorithm>
#include <random>
#include <sstream>

namespace muster::fakes {
namespace {

constexpr std::size_t kSectorBytes = 512;

using Copies = std::map<const LossyNode*, LossyNodePtr>;

LossyNodePtr copy_into(const LossyNode& node, Copies& copies) {
  auto& copy = copies[&node];
  if (copy) return copy;
  copy = std::make_shared<LossyNode>(node);
  copy->locked_by = nullptr;
  const LossyNodePtr made = copy;
  for (auto& entry : made->names) entry.second = copy_into(*entry.second, copies);
  for (auto& entry : made->unsynced)
    for (auto& past : entry.second)
      if (past) past = copy_into(*past, copies);
  return made;
}

class PowerLoss {
 public:
  explicit PowerLoss(std::uint64_t seed) : random_(seed) {}

  LossyNodePtr survivor(const LossyNode& node) {
    if (const auto found = survivors_.find(&node); found != survivors_.end()) return found->second;
    const auto made = std::make_shared<LossyNode>(
        LossyNode{.is_directory = node.is_directory, .modified = node.modified, .bytes = surviving_bytes(node)});
    survivors_[&node] = made;
    made->synced_bytes = made->bytes.size();
    for (const auto& [name, kept] : surviving_names(node)) made->names[name] = survivor(*kept);
    return made;
  }

 private:
  std::size_t below(std::size_t limit) { return static_cast<std::size_t>(random_() % limit); }

  // Changes of one name come to the disk in order, those of different names in any.
  std::map<std::string, LossyNodePtr> surviving_names(const LossyNode& directory) {
    auto names = directory.names;
    for (const auto& [name, past] : directory.unsynced)
      if (const auto& kept = past[below(past.size())])
        names[name] = kept;
      else
        names.erase(name);
    return names;
  }

  base::Bytes surviving_bytes(const LossyNode& file) {
    base::Bytes bytes = file.bytes;
    if (bytes.size() == file.synced_bytes) return bytes;
    const std::size_t sectors = (bytes.size() - file.synced_bytes + kSectorBytes - 1) / kSectorBytes;
    const std::size_t kept = below(sectors + 1);
    enum Way : std::size_t { kFirst, kFirstThenZeroes, kAny };
    const std::size_t way = below(3);
    if (way == kFirst) bytes.resize(std::min(bytes.size(), file.synced_bytes + kept * kSectorBytes));
    for (std::size_t i = 0; way != kFirst && i < sectors; ++i)
      if (way == kAny ? below(2) == 0 : i >= kept) clear_sector(bytes, file.synced_bytes + i * kSectorBytes);
    return bytes;
  }

  static void clear_sector(base::Bytes& bytes, std::size_t at) {
    const auto sector = base::MutableBytes(bytes).subspan(at, std::min(kSectorBytes, bytes.size() - at));
    std::ranges::fill(sector, std::byte{0});
  }

  std::mt19937_64 random_;
  Copies survivors_;
};

void add_paths(const LossyNode& directory, const std::string& prefix, std::vector<std::string>& paths) {
  for (const auto& [name, node] : directory.names)
    if (node->is_directory)
      add_paths(*node, prefix + name + '/', paths);
    else
      paths.push_back(prefix + name);
}

}  // namespace

void set_name(LossyNode& directory, const std::string& name, LossyNodePtr node) {
  auto& past = directory.unsynced[name];
  const auto found = directory.names.find(name);
  if (past.empty()) past.push_back(found == directory.names.end() ? nullptr : found->second);
  past.push_back(node);
  if (node)
    directory.names[name] = std::move(node);
  else
    directory.names.erase(name);
}

LossyNodePtr find(LossyNodePtr root, const std::string& path) {
  std::istringstream words(path);
  for (std::string word; root && std::getline(words, word, '/');) {
    if (!root->is_directory) return nullptr;
    if (word.empty() || word == ".") continue;
    const auto found = root->names.find(word);
    root = found == root->names.end() ? nullptr : found->second;
  }
  return root;
}

std::uint64_t size_of_all_files(const LossyNode& directory) {
  std::uint64_t bytes = directory.bytes.size();
  for (const auto& entry : directory.names) bytes += size_of_all_files(*entry.second);
  return bytes;
}

std::vector<std::string> paths_of_files(const LossyNode& directory, const std::string& prefix) {
  std::vector<std::string> paths;
  add_paths(directory, prefix, paths);
  std::ranges::sort(paths);
  return paths;
}

LossyNodePtr copy_of(const LossyNode& node) {
  Copies copies;
  return copy_into(node, copies);
}

LossyNodePtr survivor_of(const LossyNode& node, std::uint64_t seed) { return PowerLoss(seed).survivor(node); }

}  // namespace muster::fakes
