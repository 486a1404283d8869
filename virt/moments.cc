#include "virt/moments.h"

#include <cstdlib>
#include <memory>

#include <libvirt/libvirt.h>

#include "virt/libvirt_error.h"
#include "virt/owned.h"
#include "virt/snapshot_handles.h"

namespace muster::virt {
namespace {

struct FreeCheckpoint {
  void operator()(virDomainCheckpointPtr checkpoint) const { virDomainCheckpointFree(checkpoint); }
};
using Checkpoint = std::unique_ptr<virDomainCheckpoint, FreeCheckpoint>;

std::string of(const Domain& domain) { return " of '" + domain.name() + "'"; }

std::vector<Moment> snapshots(const Domain& domain) {
  const auto handles = snapshot_handles(domain);
  if (!handles) return {};
  std::vector<Moment> all;
  for (const auto& snapshot : *handles) {
    const std::string name = virDomainSnapshotGetName(snapshot.get());
    const OwnedText xml(virDomainSnapshotGetXMLDesc(snapshot.get(), VIR_DOMAIN_SNAPSHOT_XML_SECURE));
    if (!xml) throw_last("read snapshot '" + name + "'" + of(domain));
    all.push_back({.name = name, .xml = xml.get(), .current = virDomainSnapshotIsCurrent(snapshot.get(), 0) == 1});
  }
  return all;
}

std::vector<Moment> checkpoints(const Domain& domain) {
  virDomainCheckpointPtr* list = nullptr;
  const int count = virDomainListAllCheckpoints(domain.handle(), &list, VIR_DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL);
  if (count < 0 && last_is_unsupported()) return {};
  if (count < 0) throw_last("list the checkpoints" + of(domain));
  std::vector<Checkpoint> owned(list, list + count);
  std::free(list);
  std::vector<Moment> all;
  for (const auto& checkpoint : owned) {
    const std::string name = virDomainCheckpointGetName(checkpoint.get());
    const OwnedText xml(virDomainCheckpointGetXMLDesc(checkpoint.get(), VIR_DOMAIN_CHECKPOINT_XML_SECURE));
    if (!xml) throw_last("read checkpoint '" + name + "'" + of(domain));
    all.push_back({.name = name, .xml = xml.get()});
  }
  return all;
}

void forget_snapshot(const Domain& domain, const std::string& name) {
  const OwnedSnapshot snapshot(virDomainSnapshotLookupByName(domain.handle(), name.c_str(), 0));
  if (!snapshot && last_is_not_found()) return;
  if (!snapshot) throw_last("look up snapshot '" + name + "'" + of(domain));
  if (virDomainSnapshotDelete(snapshot.get(), VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY) != 0)
    throw_last("forget snapshot '" + name + "'" + of(domain));
}

void forget_checkpoint(const Domain& domain, const std::string& name) {
  const Checkpoint checkpoint(virDomainCheckpointLookupByName(domain.handle(), name.c_str(), 0));
  if (!checkpoint && last_is_not_found()) return;
  if (!checkpoint) throw_last("look up checkpoint '" + name + "'" + of(domain));
  if (virDomainCheckpointDelete(checkpoint.get(), VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY) != 0)
    throw_last("forget checkpoint '" + name + "'" + of(domain));
}

const char* element_name(MomentKind kind) { return kind == MomentKind::snapshot ? "snapshot" : "checkpoint"; }

}  // namespace

void put_moments(MetadataElement& part, MomentKind kind, const std::vector<Moment>& moments) {
  for (const auto& moment : moments) {
    MetadataElement element{.name = element_name(kind), .attributes = {{"name", moment.name}}, .text = moment.xml};
    if (moment.current) element.attributes["current"] = "yes";
    part.children.push_back(std::move(element));
  }
}

std::vector<Moment> moments_in(const MetadataElement& part, MomentKind kind) {
  std::vector<Moment> all;
  for (const auto& child : part.children)
    if (child.name == element_name(kind))
      all.push_back(
          {.name = child.attribute("name"), .xml = child.text, .current = child.attribute("current") == "yes"});
  return all;
}

std::vector<Moment> moments(const Domain& domain, MomentKind kind) {
  return kind == MomentKind::snapshot ? snapshots(domain) : checkpoints(domain);
}

void forget(const Domain& domain, MomentKind kind, const std::string& name) {
  if (kind == MomentKind::snapshot) return forget_snapshot(domain, name);
  forget_checkpoint(domain, name);
}

void register_again(const Domain& domain, MomentKind kind, const Moment& moment) {
  if (kind == MomentKind::checkpoint) {
    const Checkpoint checkpoint(
        virDomainCheckpointCreateXML(domain.handle(), moment.xml.c_str(), VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE));
    if (!checkpoint) throw_last("register checkpoint '" + moment.name + "'" + of(domain));
    return;
  }
  unsigned flags = VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE;
  if (moment.current) flags |= VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT;
  const OwnedSnapshot snapshot(virDomainSnapshotCreateXML(domain.handle(), moment.xml.c_str(), flags));
  if (!snapshot) throw_last("register snapshot '" + moment.name + "'" + of(domain));
}

}  // namespace muster::virt
