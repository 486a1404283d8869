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

std::string host_uuid_of(virConnectPtr connection, const std::string& action) {
  const OwnedText text(virConnectGetCapabilities(connection));
  if (!text) throw_last(action);
  pugi::xml_document xml;
  xml.load_string(text.get());
  return xml.child("capabilities").child("host").child_value("uuid");
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
