#include "virt/migration.h"

#include <algorithm>
#include <cstdlib>

#include <libvirt/libvirt.h>
#include <pugixml.hpp>

#include "virt/domain_xml.h"
#include "virt/libvirt_error.h"
#include "virt/owned.h"
#include "virt/typed_parameters.h"

namespace muster::virt {
namespace {

constexpr const char* kMovingNamespace = "urn:x-muster:moving:1";
constexpr const char* kMovingPrefix = "moving";

unsigned flags_of(const MigrationOptions& options) {
  // PERSIST_DEST: the definition goes along. Nothing is undefined on the source: that is done once the domain was seen
  // running over there. ABORT_ON_ERROR: an I/O error on the way is no state to continue from.
  unsigned flags = VIR_MIGRATE_LIVE | VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_ABORT_ON_ERROR | VIR_MIGRATE_AUTO_CONVERGE;
  if (!options.copied_disks.empty()) flags |= VIR_MIGRATE_NON_SHARED_DISK;
  // With images that both see, libvirt fears caches it cannot check the coherence of; qemu flushes and drops its own
  // since 2.10.
  if (options.storage == Storage::shared) flags |= VIR_MIGRATE_UNSAFE;
  return flags;
}

template <typename List, typename Describe, typename Release>
std::vector<std::string> described(int count, List* list, const Describe& describe, const Release& release) {
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) {
    const OwnedText xml(describe(list[i]));
    if (xml) texts.emplace_back(xml.get());
    release(list[i]);
  }
  std::free(list);
  return texts;
}

std::string moving_element(const Lineage& lineage) {
  pugi::xml_document document;
  auto root = document.append_child("lineage");
  for (const auto& xml : lineage.snapshots) root.append_child("snapshot").text().set(xml.c_str());
  for (const auto& xml : lineage.checkpoints) root.append_child("checkpoint").text().set(xml.c_str());
  return node_text(root);
}

std::string host_uuid_of(virConnectPtr connection, const std::string& action) {
  const OwnedText text(virConnectGetCapabilities(connection));
  if (!text) throw_last(action);
  pugi::xml_document xml;
  xml.load_string(text.get());
  return xml.child("capabilities").child("host").child_value("uuid");
}

// Metadata of the definition and of the running domain.
unsigned everywhere(const Domain& domain) {
  unsigned where = 0;
  if (domain.persistent()) where |= VIR_DOMAIN_AFFECT_CONFIG;
  if (domain.active()) where |= VIR_DOMAIN_AFFECT_LIVE;
  return where;
}

}  // namespace

Domain migrate_live(const Domain& domain, const Connection& target, const MigrationOptions& options) {
  TypedParameters parameters;
  if (options.bandwidth_bytes_per_second)
    parameters.add_unsigned(VIR_MIGRATE_PARAM_BANDWIDTH,
                            std::max<std::uint64_t>(*options.bandwidth_bytes_per_second >> 20, 1));
  for (const auto& disk : options.copied_disks) parameters.add_text(VIR_MIGRATE_PARAM_MIGRATE_DISKS, disk);
  const virDomainPtr moved = virDomainMigrate3(domain.handle(), target.handle(), parameters.list(),
                                               static_cast<unsigned>(parameters.count()), flags_of(options));
  if (moved == nullptr) throw_last("migrate '" + domain.name() + "'");
  return Domain::adopt(moved);
}

void abort_migration(const Domain& domain) { virDomainAbortJob(domain.handle()); }

std::optional<MigrationProgress> migration_progress(const Domain& domain) {
  int type = 0;
  TypedParameters job;
  const auto ask = [&](virTypedParameterPtr* list, int* count) {
    return virDomainGetJobStats(domain.handle(), &type, list, count, 0);
  };
  if (!job.take(ask) || type == VIR_DOMAIN_JOB_NONE) return std::nullopt;
  const auto number = [&](const char* name) { return static_cast<std::uint64_t>(job.integer(name).value_or(0)); };
  return MigrationProgress{.memory_total_bytes = number(VIR_DOMAIN_JOB_MEMORY_TOTAL),
                           .memory_remaining_bytes = number(VIR_DOMAIN_JOB_MEMORY_REMAINING),
                           .disk_total_bytes = number(VIR_DOMAIN_JOB_DISK_TOTAL),
                           .disk_remaining_bytes = number(VIR_DOMAIN_JOB_DISK_REMAINING),
                           .elapsed = std::chrono::milliseconds(number(VIR_DOMAIN_JOB_TIME_ELAPSED))};
}

Lineage lineage(const Domain& domain) {
  Lineage all;
  virDomainSnapshotPtr* snapshots = nullptr;
  const int count = virDomainListAllSnapshots(domain.handle(), &snapshots, VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL);
  all.snapshots = described(
      count, snapshots,
      [](virDomainSnapshotPtr s) { return virDomainSnapshotGetXMLDesc(s, VIR_DOMAIN_SNAPSHOT_XML_SECURE); },
      [](virDomainSnapshotPtr s) { virDomainSnapshotFree(s); });
  virDomainCheckpointPtr* checkpoints = nullptr;
  const int marks = virDomainListAllCheckpoints(domain.handle(), &checkpoints, VIR_DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL);
  all.checkpoints = described(
      marks, checkpoints,
      [](virDomainCheckpointPtr c) { return virDomainCheckpointGetXMLDesc(c, VIR_DOMAIN_CHECKPOINT_XML_SECURE); },
      [](virDomainCheckpointPtr c) { virDomainCheckpointFree(c); });
  return all;
}

void forget_snapshots(const Domain& domain) {
  virDomainSnapshotPtr* list = nullptr;
  const int count = virDomainListAllSnapshots(domain.handle(), &list, 0);
  bool failed = false;
  for (int i = 0; i < count; ++i) {
    failed = virDomainSnapshotDelete(list[i], VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY) != 0 || failed;
    if (!failed) virDomainSnapshotFree(list[i]);
  }
  std::free(list);
  if (failed) throw_last("put the snapshots of '" + domain.name() + "' aside");
}

void remember(const Domain& domain, const Lineage& lineage) {
  for (const auto& xml : lineage.snapshots) {
    const virDomainSnapshotPtr known =
        virDomainSnapshotCreateXML(domain.handle(), xml.c_str(), VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE);
    if (known == nullptr) throw_last("make a snapshot of '" + domain.name() + "' known");
    virDomainSnapshotFree(known);
  }
  for (const auto& xml : lineage.checkpoints) {
    const virDomainCheckpointPtr known =
        virDomainCheckpointCreateXML(domain.handle(), xml.c_str(), VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE);
    if (known == nullptr) throw_last("make a checkpoint of '" + domain.name() + "' known");
    virDomainCheckpointFree(known);
  }
}

void keep_in_metadata(const Domain& domain, const Lineage& lineage) {
  if (virDomainSetMetadata(domain.handle(), VIR_DOMAIN_METADATA_ELEMENT, moving_element(lineage).c_str(), kMovingPrefix,
                           kMovingNamespace, everywhere(domain)) != 0)
    throw_last("note the snapshots of '" + domain.name() + "'");
}

std::optional<Lineage> kept_in_metadata(const Domain& domain) {
  const unsigned where = domain.persistent() ? VIR_DOMAIN_AFFECT_CONFIG : VIR_DOMAIN_AFFECT_LIVE;
  const OwnedText text(virDomainGetMetadata(domain.handle(), VIR_DOMAIN_METADATA_ELEMENT, kMovingNamespace, where));
  if (!text) return std::nullopt;
  pugi::xml_document document;
  if (!document.load_string(text.get())) return std::nullopt;
  Lineage kept;
  const auto root = document.first_child();
  for (const auto& node : root.children()) {
    const std::string name = node.name();
    if (name.ends_with("snapshot")) kept.snapshots.emplace_back(node.text().get());
    if (name.ends_with("checkpoint")) kept.checkpoints.emplace_back(node.text().get());
  }
  return kept;
}

void drop_from_metadata(const Domain& domain) {
  virDomainSetMetadata(domain.handle(), VIR_DOMAIN_METADATA_ELEMENT, nullptr, nullptr, kMovingNamespace,
                       everywhere(domain));
}

std::optional<std::string> cpu_refusal(const Domain& domain, const Connection& target) {
  const DomainXml xml(domain.xml(Domain::Xml::current));
  const auto cpu = xml.root().child("cpu");
  const std::string mode = cpu.attribute("mode").value();
  // Emulated, or whatever the target has: nothing to compare.
  if (!cpu || xml.type() == "qemu" || mode == "maximum") return std::nullopt;
  const int answer = virConnectCompareHypervisorCPU(target.handle(), nullptr, nullptr, nullptr, xml.type().c_str(),
                                                    node_text(cpu).c_str(), VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE);
  if (answer == VIR_CPU_COMPARE_IDENTICAL || answer == VIR_CPU_COMPARE_SUPERSET || last_is_unsupported())
    return std::nullopt;
  try {
    throw_last("the CPU");
  } catch (const base::Error& e) {
    return e.what();
  }
}

Versions versions(const Connection& connection) {
  Versions all;
  if (virConnectGetLibVersion(connection.handle(), &all.libvirt) != 0 ||
      virConnectGetVersion(connection.handle(), &all.hypervisor) != 0)
    throw_last("ask " + connection.uri() + " for its version");
  return all;
}

std::string host_uuid(const Connection& connection) {
  return host_uuid_of(connection.handle(), "ask " + connection.uri() + " which host it is");
}

std::string host_uuid(const Domain& domain) {
  return host_uuid_of(virDomainGetConnect(domain.handle()), "ask which host '" + domain.name() + "' is on");
}

}  // namespace muster::virt
