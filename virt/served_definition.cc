#include "virt/served_definition.h"

#include <array>
#include <functional>
#include <string_view>

#include <pugixml.hpp>

#include "virt/domain.h"

namespace muster::virt {
namespace {

using pugi::xml_node;

constexpr std::array kPolicies = {"error_policy", "rerror_policy"};

void set(xml_node node, const char* name, const std::string& value) {
  auto attribute = node.attribute(name);
  if (!attribute) attribute = node.append_attribute(name);
  attribute.set_value(value.c_str());
}

void each_disk(const DomainXml& xml, const std::function<void(const std::string& target, xml_node disk)>& change) {
  for (auto disk : xml.root().child("devices").children("disk"))
    change(disk.child("target").attribute("dev").value(), disk);
}

void put_chain(xml_node disk, const std::string& socket) {
  disk.remove_child("backingStore");
  auto below = disk.insert_child_after("backingStore", disk.child("source"));
  set(below, "type", "network");
  set(below.append_child("format"), "type", "raw");
  auto source = below.append_child("source");
  set(source, "protocol", "nbd");
  auto host = source.append_child("host");
  set(host, "transport", "unix");
  set(host, "socket", socket);
  below.append_child("backingStore");
}

// As they were, in the mark.
void stop_on_errors(xml_node disk, const std::string& target, MetadataElement& mark) {
  MetadataElement before{.name = "disk", .attributes = {{"target", target}}};
  auto driver = disk.child("driver");
  for (const char* policy : kPolicies) {
    if (const auto own = driver.attribute(policy)) before.attributes[policy] = own.value();
    set(driver, policy, "stop");
  }
  mark.children.push_back(std::move(before));
}

const MetadataElement* noted(const MetadataElement& mark, const std::string& target) {
  for (const auto& child : mark.children)
    if (child.name == "disk" && child.attribute("target") == target) return &child;
  return nullptr;
}

}  // namespace

std::string served_definition(const DomainXml& xml, const std::map<std::string, std::string>& sockets,
                              const MetadataElement& mark) {
  DomainXml changed = xml;
  MetadataElement complete = mark;
  each_disk(changed, [&](const std::string& target, xml_node disk) {
    const auto socket = sockets.find(target);
    if (socket == sockets.end()) return;
    put_chain(disk, socket->second);
    stop_on_errors(disk, target, complete);
  });
  // In place of what was known about the machine when it was backed up.
  set_facts(changed, {complete});
  return changed.text();
}

std::string settled_definition(const DomainXml& xml, const MetadataElement& mark) {
  DomainXml changed = xml;
  each_disk(changed, [&](const std::string& target, xml_node disk) {
    const auto* before = noted(mark, target);
    if (before == nullptr) return;
    disk.remove_child("backingStore");
    for (const char* policy : kPolicies) {
      disk.child("driver").remove_attribute(policy);
      if (const std::string own = before->attribute(policy); !own.empty()) set(disk.child("driver"), policy, own);
    }
  });
  return changed.text();
}

}  // namespace muster::virt
