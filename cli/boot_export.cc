#include "cli/boot_export.h"

#include "base/error.h"

namespace muster::cli {
namespace {

// Somebody ends them on purpose, or they die of something that does not go away.
constexpr unsigned kMostRestarts = 20;

}  // namespace

BootExport::BootExport(const OpenedRepository& opened, const backup::RestorePoint& point,
                       const BootDirectory& directory, const Manner& manner)
    : opened_(opened), point_(point), directory_(directory), manner_(manner), restarts_left_(kMostRestarts) {
  for (const auto& disk : point.disks) start(disk.disk);
}

void BootExport::start(const std::string& disk) {
  servers_.erase(disk);
  sockets_[disk] = directory_.socket_of(disk);
  servers_[disk] = std::make_unique<DiskExport>(opened_.context, opened_.repository,
                                                ExportOptions{.point = point_.id,
                                                              .disk = disk,
                                                              .socket = sockets_[disk],
                                                              .writes = manner_.writes,
                                                              .owner = manner_.owner});
}

unsigned BootExport::keep_up() {
  unsigned restarted = 0;
  for (const auto& [disk, socket] : sockets_) {
    if (!servers_.at(disk)->ended()) continue;
    if (restarts_left_-- == 0)
      throw base::Error(base::Code::io, "the server of disk " + disk + " ends again and again");
    opened_.context.warn("the server of disk " + disk + " has ended: it is started again");
    start(disk);
    ++restarted;
  }
  return restarted;
}

}  // namespace muster::cli
