#include "inventory/schema_document.h"

#include <algorithm>

#include "base/error.h"
#include "inventory/close_names.h"
#include "yaml/scalar.h"

namespace muster::inventory {

using base::Code;
using base::Error;

SchemaDocument::SchemaDocument(const std::string& path)
    : document_(yaml::parse_file(path)), directory_(std::filesystem::path(path).parent_path()) {}

void SchemaDocument::fail(const yaml::Node& node, const std::string& text) const {
  const yaml::Position at = node.at.line == 0 ? yaml::Position{1, 1} : node.at;
  throw Error(Code::usage, yaml::located(document_.file, at, text));
}

void SchemaDocument::at(const yaml::Node& node, const std::function<void()>& use) const {
  try {
    use();
  } catch (const Error& e) {
    fail(node, e.what());
  }
}

void SchemaDocument::check_key(const yaml::Node& key, const std::vector<std::string_view>& known) const {
  if (std::find(known.begin(), known.end(), key.text) == known.end())
    fail(key, "unknown key '" + key.text + "'" + known_words(key.text, known));
}

bool SchemaDocument::truth(const yaml::Node& key, const yaml::Node& value) const {
  const auto resolved = value.is_scalar() ? yaml::resolve(value, yaml::Schema::core_1_2) : yaml::Scalar();
  if (const auto* flag = std::get_if<bool>(&resolved)) return *flag;
  fail(value, "'" + key.text + "' is neither true nor false; write one of them");
}

std::string SchemaDocument::path(const std::string& written) const {
  const std::filesystem::path path = written;
  return path.is_absolute() ? path : directory_ / path;
}

}  // namespace muster::inventory
