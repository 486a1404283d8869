#include "vm/job_guard.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>
#include <sys/statvfs.h>

#include "base/context.h"
#include "virt/lifecycle.h"
#include "vm/polling.h"

namespace muster::vm {
namespace {

// QEMU takes its filters away after libvirt has said yes.
constexpr std::chrono::seconds kEndPatience{10}, kGoOnPatience{5};
constexpr std::chrono::milliseconds kInterval{50};
constexpr int kCalmLooks = 10;

// What failed is tried again when it goes on, and would stop it again as long as the job's filter is there.
void let_go_on(const virt::Domain& domain) {
  int calm = 0;
  wait_until(
      {}, base::Clock::now() + kGoOnPatience,
      [&] {
        if (!stands_still(domain)) return ++calm >= kCalmLooks;
        calm = 0;
        virt::resume(domain);
        return false;
      },
      kInterval);
}

}  // namespace

std::string complaint_of_room(const std::set<std::string>& directories) {
  for (const auto& directory : directories) {
    struct statvfs facts {};
    // Some tell no size at all.
    if (::statvfs(directory.c_str(), &facts) != 0 || facts.f_blocks == 0) continue;
    const std::uint64_t free_bytes = std::uint64_t{facts.f_bavail} * facts.f_frsize;
    if (free_bytes < kLeastScratchBytes)
      return fmt::format("{} has {} MiB left for what the guest overwrites meanwhile, and {} are the least", directory,
                         free_bytes >> 20U, kLeastScratchBytes >> 20U);
  }
  return "";
}

bool stands_still(const virt::Domain& domain) {
  return domain.state() == virt::State::paused && domain.reason() == virt::kIoErrorReason &&
         virt::has_full_disk(domain);
}

std::optional<virt::RunningJob> find_job(const virt::Domain& domain, const std::string& mark) {
  auto running = virt::running_job(domain);
  if (!running || std::none_of(running->scratch.begin(), running->scratch.end(),
                               [&](const std::string& file) { return file.find(mark) != std::string::npos; }))
    return std::nullopt;
  return running;
}

void end_job_and_go_on(const virt::Domain& domain, const virt::RunningJob& job) {
  virt::end_job(domain, job);
  wait_until(
      {}, base::Clock::now() + kEndPatience, [&] { return virt::running_job(domain) != job; }, kInterval);
  if (domain.state() == virt::State::paused) let_go_on(domain);
}

}  // namespace muster::vm
