#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "inventory/content.h"
#include "inventory/document_reader.h"
#include "inventory/documents.h"
#include "inventory/inventory.h"
#include "inventory/reconcile.h"
#include "inventory/report.h"
#include "inventory/vars_files.h"

namespace muster::inventory {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxDirectories = 16;

// Ansible's list: what an editor, a package manager or a retry leaves beside inventories.
bool is_ignored(const std::string& name) {
  static constexpr std::array<std::string_view, 3> kNames = {"host_vars", "group_vars", "vars_plugins"};
  static constexpr std::array<std::string_view, 12> kEndings = {".pyc", ".pyo", ".swp", ".bak",  "~",    ".rpm",
                                                                ".md",  ".txt", ".rst", ".orig", ".cfg", ".retry"};
  if (name.starts_with('.') || std::find(kNames.begin(), kNames.end(), name) != kNames.end()) return true;
  return std::any_of(kEndings.begin(), kEndings.end(), [&](std::string_view ending) { return name.ends_with(ending); });
}

bool is_directory(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

class Loader {
 public:
  Loader(const base::Context& ctx, const LoadOptions& options)
      : report_(ctx, options.dialect, options.all_problems),
        content_(std::make_unique<Inventory::Content>(options.dialect)) {}

  void read_source(const std::string& path, int depth);
  void read_text(std::string_view text, const std::string& file);
  void read_vars(const std::vector<std::string>& sources);
  void reconcile() { inventory::reconcile(*content_, report_); }
  Inventory finish() { return Inventory(std::move(content_)); }

 private:
  void read_directory(const std::string& path, int depth);

  Report report_;
  std::unique_ptr<Inventory::Content> content_;
};

void Loader::read_source(const std::string& path, int depth) {
  report_.context().check_stop();
  if (is_directory(path)) return read_directory(path, depth);
  if (!has_yaml_name(path)) return report_.error({.file = path, .at = {}}, not_read(path));
  const yaml::Document* document = keep_file(*content_, report_, path);
  if (document != nullptr) read_inventory(*content_, report_, *document);
}

void Loader::read_directory(const std::string& path, int depth) {
  if (depth > kMaxDirectories)
    return report_.error({.file = path, .at = {}}, "directories nested too deep; do they link to one another?");
  std::size_t read = 0;
  for (const auto& name : sorted_names(path)) {
    if (is_ignored(name)) continue;
    ++read;
    read_source((fs::path(path) / name).string(), depth + 1);
  }
  if (read == 0 && depth == 0)
    report_.error({.file = path, .at = {}}, "no inventory in this directory; put a file like hosts.yaml into it");
}

void Loader::read_text(std::string_view text, const std::string& file) {
  const yaml::Document* document = keep_text(*content_, report_, text, file);
  if (document != nullptr) read_inventory(*content_, report_, *document);
}

// Later sources win, so of a directory that several sources share only the last place in the order counts.
void Loader::read_vars(const std::vector<std::string>& sources) {
  std::vector<std::string> directories;
  for (const auto& source : sources) {
    std::string directory = is_directory(source) ? source : fs::path(source).parent_path().string();
    if (directory.empty()) directory = ".";
    std::erase(directories, directory);
    directories.push_back(std::move(directory));
  }
  for (const auto& directory : directories) read_vars_files(*content_, report_, directory);
}

}  // namespace

Inventory load(const base::Context& ctx, const std::vector<std::string>& sources, const LoadOptions& options) {
  Loader loader(ctx, options);
  for (const auto& source : sources) loader.read_source(source, 0);
  loader.reconcile();
  loader.read_vars(sources);
  return loader.finish();
}

Inventory load_text(const base::Context& ctx, std::string_view text, const std::string& file,
                    const LoadOptions& options) {
  Loader loader(ctx, options);
  loader.read_text(text, file);
  loader.reconcile();
  return loader.finish();
}

}  // namespace muster::inventory
