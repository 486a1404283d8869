#include "virt/creation_mark.h"

#include <charconv>

#include <pugixml.hpp>

namespace muster::virt {
namespace {

constexpr const char* kPart = "creating";

// 0 for what is none: no process is that.
template <typename Number>
Number number(const std::string& text) {
  Number value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

std::string told(const VolumeName& volume) { return "volume '" + volume.name + "' of pool '" + volume.pool + "'"; }

MetadataElement to_metadata(const CreationMark& mark) {
  MetadataElement part{.name = kPart,
                       .attributes = {{"uuid", mark.uuid},
                                      {"host", mark.host},
                                      {"machine", mark.machine},
                                      {"pid", std::to_string(mark.pid)},
                                      {"started", std::to_string(mark.started)},
                                      {"since", mark.since}}};
  for (const auto& volume : mark.volumes)
    part.children.push_back({.name = "volume", .attributes = {{"pool", volume.pool}, {"name", volume.name}}});
  return part;
}

CreationMark creation_mark(const MetadataElement& part) {
  CreationMark mark{.uuid = part.attribute("uuid"),
                    .host = part.attribute("host"),
                    .machine = part.attribute("machine"),
                    .pid = number<std::int64_t>(part.attribute("pid")),
                    .started = number<std::uint64_t>(part.attribute("started")),
                    .since = part.attribute("since"),
                    .volumes = {}};
  for (const auto& child : part.children)
    if (child.name == "volume") mark.volumes.push_back({child.attribute("pool"), child.attribute("name")});
  return mark;
}

std::string marked_definition(const DomainXml& definition, const CreationMark& mark) {
  DomainXml marked = definition;
  auto devices = marked.root().child("devices");
  while (devices.remove_child("disk")) {
  }
  set_facts(marked, {to_metadata(mark)});
  return marked.text();
}

std::optional<CreationMark> creation_mark(const Domain& domain) {
  const auto part = own_metadata_part(domain, kPart);
  if (!part) return std::nullopt;
  if (!DomainXml(domain.xml(Domain::Xml::definition)).disks().empty()) return std::nullopt;
  return creation_mark(*part);
}

}  // namespace muster::virt
