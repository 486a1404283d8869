#include "cli/worker_disks.h"

#include "base/error.h"
#include "cli/ssh_image.h"
#include "cli/ssh_place.h"
#include "virt/image_files.h"

namespace muster::cli {
namespace {

constexpr std::chrono::seconds kConnectPatience{20};

}  // namespace

bool reaches_disks_there(const virt::Connection& connection) {
  return ssh_place(connection.uri(), kConnectPatience).has_value();
}

disk::MachineDisk reach_disk(const base::Context& ctx, const virt::Connection& connection, const std::string& path,
                             disk::ImageFormat format, disk::Access access) {
  if (virt::is_seen_here(connection, path)) return {.path = path, .format = format};
  const auto place = ssh_place(connection.uri(), kConnectPatience);
  if (!place)
    throw base::Error(base::Code::unsupported, path + " is no file of this host, and " + connection.uri() +
                                                   " is not reached over SSH: it cannot be looked into from here");
  const auto served = serve_over_ssh(ctx, *place, path, format, access);
  return {.path = place->host + ":" + path, .format = format, .uri = served.uri, .server = served.options.needs};
}

}  // namespace muster::cli
