// Moving a domain to another hypervisor. One call each; the order of things, what libvirt does not move, and what
// happens when they go wrong, is vm/migrate.h's. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "virt/connection.h"

namespace muster::virt {

enum class Storage {
  shared,  // both hypervisors see the same images
  copied,  // images are copied while the domain runs, into files that are made on the target
};

struct MigrationOptions {
  Storage storage = Storage::shared;
  std::optional<std::uint64_t> bandwidth_bytes_per_second;
  std::vector<std::string> copied_disks = {};  // of Storage::copied: `vda`, ...; the others are where both see them
};

// Blocks until the domain runs on `target`, or throws and it runs on where it was. The definition stays behind on the
// source, too, and so do copies that were begun on the target. abort_migration() from another thread ends it:
// base::Error{cancelled}.
Domain migrate_live(const Domain& domain, const Connection& target, const MigrationOptions& options);
void abort_migration(const Domain& domain);

struct MigrationProgress {
  std::uint64_t memory_total_bytes = 0, memory_remaining_bytes = 0;
  std::uint64_t disk_total_bytes = 0, disk_remaining_bytes = 0;
  std::chrono::milliseconds elapsed{0};
};
// nullopt: no job is under way.
std::optional<MigrationProgress> migration_progress(const Domain& domain);

// Whether `target` can run the CPU that the domain has or will have; text: why not.
std::optional<std::string> cpu_refusal(const Domain& domain, const Connection& target);
// libvirt's and the hypervisor's version, as numbers that can be compared.
struct Versions {
  unsigned long libvirt = 0, hypervisor = 0;
};
Versions versions(const Connection& connection);
// Which host it is, however it is connected to; and which the domain is on.
std::string host_uuid(const Connection& connection);
std::string host_uuid(const Domain& domain);

}  // namespace muster::virt
