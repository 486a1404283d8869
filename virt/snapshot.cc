#include "virt/snapshot.h"

#include <algorithm>
#include <cstdlib>
#include <memory>

#include <libvirt/libvirt.h>
#include <pugixml.hpp>

#include "base/error.h"
#include "virt/agent_patience.h"
#include "virt/domain_xml.h"
#include "virt/libvirt_error.h"
#include "virt/owned.h"
#include "virt/snapshot_handles.h"

namespace muster::virt {
namespace {

using Handle = OwnedSnapshot;

Handle find(const Domain& domain, const std::string& name) {
  Handle found(virDomainSnapshotLookupByName(domain.handle(), name.c_str(), 0));
  if (!found) throw_last("look up snapshot '" + name + "' of '" + domain.name() + "'");
  return found;
}

bool is_external(const pugi::xml_node& part) {
  return std::string_view(part.attribute("snapshot").value()) == "external";
}

Snapshot facts_of(const Handle& handle) {
  Snapshot snapshot{.name = virDomainSnapshotGetName(handle.get()), .parent = {}, .state = {}, .description = {}};
  const OwnedText text(virDomainSnapshotGetXMLDesc(handle.get(), 0));
  if (!text) throw_last("read snapshot '" + snapshot.name + "'");
  pugi::xml_document xml;
  if (!xml.load_string(text.get()))
    throw base::Error(base::Code::io, "the XML of snapshot '" + snapshot.name + "' cannot be read");
  const auto root = xml.child("domainsnapshot");
  snapshot.parent = root.child("parent").child_value("name");
  snapshot.state = root.child_value("state");
  snapshot.description = root.child_value("description");
  snapshot.created_s = root.child("creationTime").text().as_llong();
  snapshot.current = virDomainSnapshotIsCurrent(handle.get(), 0) == 1;
  const auto disks = root.child("disks").children("disk");
  snapshot.external = is_external(root.child("memory")) || std::any_of(disks.begin(), disks.end(), is_external);
  return snapshot;
}

// Says for each disk that it is to be inside: a domain may have disks marked as `external`.
std::string snapshot_xml(const Domain& domain, const std::string& name, const std::string& description) {
  pugi::xml_document document;
  auto root = document.append_child("domainsnapshot");
  root.append_child("name").text().set(name.c_str());
  root.append_child("description").text().set(description.c_str());
  auto disks = root.append_child("disks");
  for (const auto& disk : DomainXml(domain.xml(Domain::Xml::current)).disks()) {
    auto node = disks.append_child("disk");
    node.append_attribute("name").set_value(disk.target.c_str());
    const bool written = disk.device == "disk" && !disk.read_only && !disk.source.empty();
    node.append_attribute("snapshot").set_value(written ? "internal" : "no");
  }
  return node_text(root);
}

}  // namespace

std::optional<std::vector<OwnedSnapshot>> snapshot_handles(const Domain& domain) {
  virDomainSnapshotPtr* list = nullptr;
  // Parents may be of the same second as their children. Older drivers do not sort.
  int count = virDomainListAllSnapshots(domain.handle(), &list, VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL);
  if (count < 0 && last_is_unsupported()) count = virDomainListAllSnapshots(domain.handle(), &list, 0);
  if (count < 0 && last_is_unsupported()) return std::nullopt;
  if (count < 0) throw_last("list the snapshots of '" + domain.name() + "'");
  std::vector<OwnedSnapshot> handles(list, list + count);
  std::free(list);
  return handles;
}

std::vector<Snapshot> snapshots(const Domain& domain) {
  const auto handles = snapshot_handles(domain);
  if (!handles) throw_last("list the snapshots of '" + domain.name() + "'");
  std::vector<Snapshot> all;
  for (const auto& handle : *handles) all.push_back(facts_of(handle));
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.created_s < b.created_s; });
  return all;
}

void create_snapshot(const Domain& domain, const std::string& name, const std::string& description) {
  const std::string xml = snapshot_xml(domain, name, description);
  const Handle made(virDomainSnapshotCreateXML(domain.handle(), xml.c_str(), 0));
  if (!made) throw_last("make snapshot '" + name + "' of '" + domain.name() + "'");
}

void revert_to_snapshot(const Domain& domain, const std::string& name) {
  const Handle snapshot = find(domain, name);
  if (virDomainRevertToSnapshot(snapshot.get(), 0) != 0)
    throw_last("revert '" + domain.name() + "' to snapshot '" + name + "'");
}

void delete_snapshot(const Domain& domain, const std::string& name) {
  const Handle snapshot = find(domain, name);
  if (virDomainSnapshotDelete(snapshot.get(), 0) != 0)
    throw_last("delete snapshot '" + name + "' of '" + domain.name() + "'");
}

void freeze_file_systems(const Domain& domain, int patience_s) {
  const AgentPatience patience(domain, patience_s);
  if (virDomainFSFreeze(domain.handle(), nullptr, 0, 0) < 0)
    throw_last("freeze the file systems of '" + domain.name() + "'");
}

int thaw_file_systems(const Domain& domain, int patience_s) {
  const AgentPatience patience(domain, patience_s);
  const int thawed = virDomainFSThaw(domain.handle(), nullptr, 0, 0);
  if (thawed < 0) throw_last("thaw the file systems of '" + domain.name() + "'");
  return thawed;
}

}  // namespace muster::virt
