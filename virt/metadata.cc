#include "virt/metadata.h"

#include <sstream>

#include <pugixml.hpp>

#include "base/error.h"

namespace muster::virt {
namespace {

using base::Code;
using base::Error;

constexpr const char* kRoot = "facts";
constexpr int kMaxDepth = 32;

// libvirt gives elements back with or without the prefix.
std::string_view local_name(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  const auto colon = name.find(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

bool declares_namespace(const pugi::xml_attribute& attribute) {
  return std::string_view(attribute.name()).starts_with("xmlns");
}

MetadataElement element_of(const pugi::xml_node& node, int depth = 0) {
  if (depth > kMaxDepth) throw Error(Code::corrupt, "metadata is nested too deeply");
  MetadataElement element{.name = std::string(local_name(node))};
  for (const auto& attribute : node.attributes())
    if (!declares_namespace(attribute)) element.attributes[attribute.name()] = attribute.value();
  for (const auto& child : node.children())
    if (child.type() == pugi::node_element) element.children.push_back(element_of(child, depth + 1));
  if (element.children.empty()) element.text = node.text().get();
  return element;
}

void append(pugi::xml_node parent, const MetadataElement& element) {
  auto node = parent.append_child(element.name.c_str());
  for (const auto& [name, value] : element.attributes) node.append_attribute(name.c_str()) = value.c_str();
  for (const auto& child : element.children) append(node, child);
  if (element.children.empty() && !element.text.empty()) node.text().set(element.text.c_str());
}

// The document of an element, whose root is <facts>: one of another name becomes a part of it.
void load(pugi::xml_document& tree, const std::string& element) {
  pugi::xml_document read;
  if (!element.empty()) {
    const auto result = read.load_buffer(element.data(), element.size());
    if (!result) throw Error(Code::corrupt, std::string("metadata of a domain: ") + result.description());
  }
  const auto old = read.document_element();
  if (old && local_name(old) != kRoot) {
    tree.append_child(kRoot).append_copy(old);
    return;
  }
  auto root = tree.append_child(kRoot);
  for (const auto& attribute : old.attributes())
    if (!declares_namespace(attribute)) root.append_copy(attribute);
  for (const auto& child : old.children()) root.append_copy(child);
}

pugi::xml_node find(const pugi::xml_document& tree, std::string_view name) {
  for (const auto& child : tree.document_element().children())
    if (local_name(child) == name) return child;
  return {};
}

bool is_ours(const pugi::xml_node& element) {
  const std::string name = element.name();
  const std::string prefix = name.substr(0, name.find(':'));
  const bool prefixed = prefix.size() < name.size();
  const auto space = element.attribute(prefixed ? ("xmlns:" + prefix).c_str() : "xmlns");
  return std::string_view(space.value()) == kMetadataNamespace;
}

std::string text_of(const pugi::xml_document& tree) {
  std::ostringstream text;
  tree.save(text, "", pugi::format_raw | pugi::format_no_declaration, pugi::encoding_utf8);
  return text.str();
}

}  // namespace

std::string MetadataElement::attribute(const std::string& key) const {
  const auto found = attributes.find(key);
  return found == attributes.end() ? "" : found->second;
}

std::optional<MetadataElement> find_part(const std::string& element, std::string_view name) {
  pugi::xml_document tree;
  load(tree, element);
  const auto node = find(tree, name);
  return node ? std::optional(element_of(node)) : std::nullopt;
}

std::string with_part(const std::string& element, const MetadataElement& part) {
  pugi::xml_document tree;
  load(tree, element);
  auto root = tree.document_element();
  for (auto old = find(tree, part.name); old; old = find(tree, part.name)) root.remove_child(old);
  append(root, part);
  return text_of(tree);
}

std::string without_part(const std::string& element, std::string_view name) {
  pugi::xml_document tree;
  load(tree, element);
  auto root = tree.document_element();
  for (auto old = find(tree, name); old; old = find(tree, name)) root.remove_child(old);
  return root.first_child() || root.first_attribute() ? text_of(tree) : "";
}

std::string new_metadata(const std::vector<MetadataElement>& parts) {
  pugi::xml_document tree;
  auto root = tree.append_child(kRoot);
  root.append_attribute("xmlns") = kMetadataNamespace;
  for (const auto& part : parts) append(root, part);
  return text_of(tree);
}

void set_facts(DomainXml& definition, const std::vector<MetadataElement>& parts) {
  auto root = definition.root();
  auto metadata = root.child("metadata");
  for (pugi::xml_node element = metadata.first_child(), next; element; element = next) {
    next = element.next_sibling();
    if (is_ours(element)) metadata.remove_child(element);
  }
  if (!parts.empty()) {
    if (!metadata) metadata = root.insert_child_after("metadata", root.child("name"));
    const std::string facts = new_metadata(parts);
    metadata.append_buffer(facts.data(), facts.size());
  }
  if (metadata && !metadata.first_child()) root.remove_child(metadata);
}

void add_fact(DomainXml& definition, const MetadataElement& part) {
  std::vector<MetadataElement> parts;
  for (const auto& element : definition.root().child("metadata").children()) {
    if (!is_ours(element)) continue;
    for (const auto& child : element.children())
      if (local_name(child) != part.name) parts.push_back(element_of(child));
  }
  parts.push_back(part);
  set_facts(definition, parts);
}

std::optional<MetadataElement> metadata_part(const Domain& domain, std::string_view name) {
  const auto element = domain.metadata();
  return element ? find_part(*element, name) : std::nullopt;
}

std::optional<MetadataElement> own_metadata_part(const Domain& domain, std::string_view name) {
  auto part = metadata_part(domain, name);
  return part && part->attribute("uuid") == domain.uuid() ? std::move(part) : std::nullopt;
}

bool put_metadata_part(const Domain& domain, const MetadataElement& part, const PartTest& passes) {
  const std::string there = domain.metadata().value_or("");
  const std::string element = with_part(there, part);
  if (element.size() > kMaxMetadataBytes)
    throw Error(Code::refused, "domain '" + domain.name() + "': what muster has to keep in its metadata is more than " +
                                   std::to_string(kMaxMetadataBytes >> 20) + " MiB");
  if (passes && !passes(find_part(there, part.name))) return false;
  domain.set_metadata(element);
  return true;
}

void drop_metadata_part(const Domain& domain, std::string_view name) {
  const auto element = domain.metadata();
  if (element && find_part(*element, name)) domain.set_metadata(without_part(*element, name));
}

}  // namespace muster::virt
