// A YAML document whose keys are all known: what is taken from it, and mistakes told by their place, as
// `file:line:column: what is wrong; what to write`. May be read from any thread.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "yaml/document.h"

namespace muster::inventory {

class SchemaDocument {
 public:
  // Throws base::Error{usage}, as all functions here do.
  explicit SchemaDocument(const std::string& path);

  const yaml::Node& root() const { return document_.root; }
  const std::string& file() const { return document_.file; }

  [[noreturn]] void fail(const yaml::Node& node, const std::string& text) const;
  // What `use` finds wrong, at the node's place.
  void at(const yaml::Node& node, const std::function<void()>& use) const;
  void check_key(const yaml::Node& key, const std::vector<std::string_view>& known) const;

  bool truth(const yaml::Node& key, const yaml::Node& value) const;
  // Of a path that is relative to the document's own directory.
  std::string path(const std::string& written) const;

 private:
  const yaml::Document document_;
  const std::filesystem::path directory_;
};

}  // namespace muster::inventory
