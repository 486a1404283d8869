#include "vm/job_guard.h"

#include <algorithm>

#include <fmt/format.h>
#include <sys/statvfs.h>

#include "virt/backup_job.h"
#include "virt/lifecycle.h"

namespace muster::vm {

std::string complaint_of_room(const std::vector<std::string>& directories) {
  for (const auto& directory : directories) {
    struct statvfs facts {};
    if (::statvfs(directory.c_str(), &facts) != 0) continue;
    const std::uint64_t free_bytes = std::uint64_t{facts.f_bavail} * facts.f_frsize;
    if (free_bytes < kLeastScratchBytes)
      return fmt::format("{} has {} MiB left for what the guest overwrites meanwhile, and {} are the least", directory,
                         free_bytes >> 20U, kLeastScratchBytes >> 20U);
  }
  return "";
}

bool stands_still(const virt::Domain& domain) {
  return domain.state() == virt::State::paused && domain.reason() == virt::kIoErrorReason;
}

bool end_guarded_job(const virt::Domain& domain, const GuardedJob& job) {
  const auto running = virt::running_job(domain);
  const auto is_its = [&](const std::string& file) { return file.find(job.mark) != std::string::npos; };
  if (!running || std::none_of(running->scratch.begin(), running->scratch.end(), is_its)) return false;
  virt::end_job(domain);
  // What failed is tried again: libvirt's "I/O error" is QEMU's stop, not the guest's.
  if (stands_still(domain)) virt::resume(domain);
  return true;
}

}  // namespace muster::vm
