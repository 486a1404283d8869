// What the tests of inventory/ share: inventories from text, directories of files, events that are kept.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <unistd.h>

#include "base/context.h"
#include "base/error.h"
#include "inventory/inventory.h"

namespace muster::inventory {

class KeptEvents : public base::EventSink {
 public:
  void message(base::Severity severity, const std::string& text) override {
    (severity == base::Severity::note ? notes : warnings).push_back(text);
  }
  base::Context context() { return {.stop = {}, .events = this}; }
  std::vector<std::string> notes;
  std::vector<std::string> warnings;
};

inline Inventory from_text(std::string_view text, Dialect dialect = Dialect::muster) {
  return load_text(base::Context(), text, "i.yaml", {.dialect = dialect});
}

// The text of the usage error that `action` throws, or `no error`.
template <typename Action>
std::string usage_error(Action action) {
  try {
    action();
  } catch (const base::Error& error) {
    return (error.code() == base::Code::usage ? "" : "not a usage error: ") + std::string(error.what());
  }
  return "no error";
}

// A directory with files, by path, for as long as this lives.
class FileTree {
 public:
  explicit FileTree(const std::map<std::string, std::string>& files = {}) {
    std::string name = (std::filesystem::temp_directory_path() / "muster-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    root_ = name;
    for (const auto& [path, text] : files) add(path, text);
  }
  FileTree(const FileTree&) = delete;
  FileTree& operator=(const FileTree&) = delete;
  ~FileTree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  void add(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path, std::ios::binary) << text;
  }
  std::string path(const std::string& relative = "") const {
    return relative.empty() ? root_.string() : (root_ / relative).string();
  }

 private:
  std::filesystem::path root_;
};

inline std::vector<std::string> names_of(const Inventory& inventory, const std::vector<HostIndex>& hosts) {
  std::vector<std::string> names;
  for (const HostIndex host : hosts) names.push_back(inventory.host_name(host));
  return names;
}

inline std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

// The hosts of a group, in order, blanks between.
inline std::string members(const Inventory& inventory, std::string_view group) {
  return joined(names_of(inventory, inventory.hosts_of(inventory.find_group(group).value())));
}

// The text of the value that wins, `-` where there is none.
inline std::string value_of(const Inventory& inventory, std::string_view host, std::string_view name) {
  const auto variable = inventory.variable(inventory.find_host(host).value(), name);
  return variable ? variable->value->text : "-";
}

}  // namespace muster::inventory
