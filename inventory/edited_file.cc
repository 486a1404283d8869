#include "inventory/edited_file.h"

#include <vector>

#include "base/error.h"
#include "inventory/document_reader.h"
#include "inventory/documents.h"
#include "inventory/reconcile.h"
#include "inventory/report.h"

namespace muster::inventory {

EditedFile::EditedFile(const std::string& text, const std::string& name, Dialect dialect)
    : text_(text), name_(name), content_(std::make_unique<Inventory::Content>(dialect)) {
  if (!has_yaml_name(name)) throw base::Error(base::Code::usage, yaml::located(name, {}, not_read(name)));
  Report report(ctx_, dialect, nullptr);
  const yaml::Document* document = keep_text(*content_, report, text, name);
  root_ = yaml::parse_syntax(text, name);
  const bool empty = root_.begin == root_.end || (root_.is_mapping() && root_.children.empty());
  if (!empty) read_inventory(*content_, report, *document);
  places_ = entry_places(root_, dialect);
}

yaml::Schema EditedFile::schema() const {
  return content_->dialect == Dialect::muster ? yaml::Schema::core_1_2 : yaml::Schema::yaml_1_1;
}

std::optional<std::string> EditedFile::difference(const std::string& text, const InventoryChange& change) const {
  if (text == text_ && content_->hosts.empty() && change.hosts.empty()) return std::nullopt;
  std::vector<std::string> problems;
  Report report(ctx_, content_->dialect, &problems);
  Inventory::Content after(content_->dialect);
  const yaml::Document* document = keep_text(after, report, text, name_);
  if (document != nullptr) read_inventory(after, report, *document);
  if (!problems.empty()) return problems.front();
  if (auto found = unwanted_difference(*content_, after, change)) return found;
  reconcile(after, report);
  return problems.empty() ? std::nullopt : std::optional(problems.front());
}

}  // namespace muster::inventory
