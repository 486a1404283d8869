#include "inventory/vars_files.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <unordered_set>

#include "base/error.h"
#include "inventory/documents.h"

namespace muster::inventory {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 3> kExtensions = {".yml", ".yaml", ".json"};
constexpr int kMaxDirectories = 16;

std::string join(const std::string& directory, const std::string& name) {
  return (fs::path(directory) / name).string();
}

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

bool is_directory(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

// Every file below `directory` that holds variables. A directory with a dot in its name is none of them.
void gather(const std::string& directory, int depth, std::vector<std::string>& files) {
  if (depth > kMaxDirectories)
    throw base::Error(base::Code::usage, directory + ": directories nested too deep; do they link to one another?");
  for (const auto& name : sorted_names(directory)) {
    if (name.starts_with('.') || name.ends_with('~')) continue;
    const std::string extension = fs::path(name).extension();
    const std::string path = join(directory, name);
    const bool known = std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
    if (is_directory(path) && extension.empty())
      gather(path, depth + 1, files);
    else if (!is_directory(path) && exists(path) && (extension.empty() || known))
      files.push_back(path);
  }
}

class VarsFiles {
 public:
  VarsFiles(Inventory::Content& content, Report& report, const std::string& directory);
  Scope read(const std::string& name);
  bool empty() const { return names_.empty(); }

 private:
  std::vector<std::string> files_of(const std::string& name);
  void read_file(const std::string& path, Scope& scope);

  Inventory::Content& content_;
  Report& report_;
  std::string directory_;
  std::unordered_set<std::string> names_;  // listed once: thousands of hosts ask for four names each
};

VarsFiles::VarsFiles(Inventory::Content& content, Report& report, const std::string& directory)
    : content_(content), report_(report), directory_(directory) {
  if (is_directory(directory))
    for (auto& name : sorted_names(directory)) names_.insert(std::move(name));
  else if (exists(directory))
    report.mistake({.file = directory, .at = {}}, "not a directory; make it one, with a file for each name");
}

// The first that exists of NAME, NAME.yml, NAME.yaml and NAME.json hides the others.
std::vector<std::string> VarsFiles::files_of(const std::string& name) {
  std::vector<std::string> candidates;
  const auto consider = [&](const std::string& file) {
    if (names_.contains(file) && exists(join(directory_, file))) candidates.push_back(join(directory_, file));
  };
  consider(name);
  for (const auto extension : kExtensions) consider(name + std::string(extension));
  for (std::size_t i = 1; i < candidates.size(); ++i)
    report_.warn({.file = candidates[i], .at = {}},
                 "not read, as " + candidates[0] + " hides it; move one into the other");
  if (candidates.empty()) return {};
  if (!is_directory(candidates[0])) return {candidates[0]};
  std::vector<std::string> files;
  gather(candidates[0], 0, files);
  return files;
}

Scope VarsFiles::read(const std::string& name) {
  Scope scope;
  for (const auto& file : files_of(name)) read_file(file, scope);
  scope.sort();
  return scope;
}

void VarsFiles::read_file(const std::string& path, Scope& scope) {
  const yaml::Document* document = keep_file(content_, report_, path);
  if (document == nullptr || document->root.is_null()) return;
  if (!document->root.is_mapping())
    return report_.error({.file = path, .at = document->root.at},
                         "a file of variables is a mapping; write 'NAME: VALUE'");
  for (const auto& entry : document->root.entries) {
    if (entry.key.is_null())
      report_.error({.file = path, .at = entry.key.at}, "a variable without a name; write one before the colon");
    else
      content_.assign(scope, entry, document->file);
  }
}

template <typename Index>
void keep(std::unordered_map<Index, Scope>& into, Index index, Scope scope) {
  if (!scope.assignments.empty()) into.emplace(index, std::move(scope));
}

}  // namespace

std::vector<std::string> sorted_names(const std::string& directory) {
  std::vector<std::string> names;
  try {
    for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
  } catch (const fs::filesystem_error& error) {
    throw base::Error(base::Code::usage, directory + ": " + error.code().message());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void read_vars_files(Inventory::Content& content, Report& report, const std::string& directory) {
  VarsDirectory found;
  if (VarsFiles files(content, report, join(directory, "group_vars")); !files.empty())
    for (GroupIndex group = 0; group < content.groups.size(); ++group)
      keep(found.groups, group, files.read(content.groups[group].name));
  if (VarsFiles files(content, report, join(directory, "host_vars")); !files.empty())
    for (HostIndex host = 0; host < content.hosts.size(); ++host)
      keep(found.hosts, host, files.read(content.hosts[host].name));
  if (!found.groups.empty() || !found.hosts.empty()) content.vars_directories.push_back(std::move(found));
}

}  // namespace muster::inventory
