#include "inventory/documents.h"

#include <filesystem>

#include "base/error.h"
#include "base/unique_fd.h"

namespace muster::inventory {
namespace {

// Text that is no YAML and has one of these beginnings was meant for another reader.
std::string other_format(std::string_view text) {
  if (text.starts_with("#!"))
    return "; a script is not run: save what it prints with --list as .json and use that file";
  while (text.starts_with('#') || text.starts_with('\n'))
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  if (text.starts_with('[') && text.substr(0, text.find('\n')).find(']') != std::string_view::npos)
    return "; an INI inventory is not read: convert it with 'ansible-inventory -i FILE --list --yaml'";
  return "";
}

const yaml::Document* keep(Inventory::Content& content, Report& report, yaml::Document document) {
  for (const auto& warning : document.warnings) report.context().warn(warning);
  content.documents.push_back(std::make_unique<const yaml::Document>(std::move(document)));
  return content.documents.back().get();
}

yaml::Document parse(const Report& report, std::string_view text, const std::string& file) {
  if (text.starts_with("$ANSIBLE_VAULT"))
    throw base::Error(base::Code::usage,
                      file +
                          ":1:1: encrypted with ansible-vault, which cannot be decrypted here; keep secrets in a key "
                          "agent or in a plain file");
  try {
    const auto duplicates = report.strict() ? yaml::DuplicateKeys::last_wins : yaml::DuplicateKeys::are_errors;
    return yaml::parse(text, file, {.limits = {}, .duplicate_keys = duplicates});
  } catch (const base::Error& error) {
    throw base::Error(error.code(), error.what() + other_format(text));
  }
}

}  // namespace

bool has_yaml_name(const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension();
  return extension.empty() || extension == ".yaml" || extension == ".yml" || extension == ".json";
}

std::string not_read(const std::string& path) {
  return "not read as an inventory: its name must end in .yaml, .yml, .json or nothing; convert others with "
         "'ansible-inventory -i " +
         path + " --list --yaml'";
}

const yaml::Document* keep_file(Inventory::Content& content, Report& report, const std::string& path) {
  std::string text;
  try {
    text = base::read_file(path, yaml::Limits().max_bytes);
  } catch (const base::Error& error) {
    report.add(error.what());
    return nullptr;
  }
  return keep_text(content, report, text, path);
}

const yaml::Document* keep_text(Inventory::Content& content, Report& report, std::string_view text,
                                const std::string& file) {
  try {
    return keep(content, report, parse(report, text, file));
  } catch (const base::Error& error) {
    report.add(error.what());
    return nullptr;
  }
}

}  // namespace muster::inventory
