#include "virt/creation_mark.h"

#include <cstring>
#include <sstream>

#include <pugixml.hpp>

namespace muster::virt {
namespace {

std::string element(const char* name) { return std::string(kMetadataPrefix) + ':' + name; }

// libvirt gives elements back with or without the prefix.
bool is(const pugi::xml_node& node, const char* name) {
  const char* colon = std::strchr(node.name(), ':');
  return std::strcmp(colon == nullptr ? node.name() : colon + 1, name) == 0;
}

}  // namespace

std::string to_xml(const CreationMark& mark) {
  pugi::xml_document tree;
  auto root = tree.append_child(element("creating").c_str());
  root.append_attribute((std::string("xmlns:") + kMetadataPrefix).c_str()) = kMetadataNamespace;
  root.append_attribute("host") = mark.host.c_str();
  root.append_attribute("machine") = mark.machine.c_str();
  root.append_attribute("pid") = static_cast<long long>(mark.pid);
  root.append_attribute("started") = static_cast<unsigned long long>(mark.started);
  root.append_attribute("since") = mark.since.c_str();
  for (const auto& volume : mark.volumes) {
    auto node = root.append_child(element("volume").c_str());
    node.append_attribute("pool") = volume.pool.c_str();
    node.append_attribute("name") = volume.name.c_str();
  }
  std::ostringstream text;
  tree.save(text, "", pugi::format_raw | pugi::format_no_declaration);
  return text.str();
}

std::optional<CreationMark> creation_mark(const std::string& text) {
  pugi::xml_document tree;
  if (!tree.load_string(text.c_str())) return std::nullopt;
  const auto root = tree.document_element();
  if (!is(root, "creating")) return std::nullopt;
  CreationMark mark{.host = root.attribute("host").value(),
                    .machine = root.attribute("machine").value(),
                    .pid = root.attribute("pid").as_llong(),
                    .started = root.attribute("started").as_ullong(),
                    .since = root.attribute("since").value(),
                    .volumes = {}};
  for (const auto& node : root.children())
    if (is(node, "volume")) mark.volumes.push_back({node.attribute("pool").value(), node.attribute("name").value()});
  return mark;
}

std::optional<CreationMark> creation_mark(const Domain& domain) {
  const auto metadata = domain.metadata();
  return metadata ? creation_mark(*metadata) : std::nullopt;
}

}  // namespace muster::virt
