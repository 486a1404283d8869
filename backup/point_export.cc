#include "backup/point_export.h"

#include "base/error.h"

namespace muster::backup {
namespace {

using base::Code;
using base::Context;
using base::Error;

RestorePoint confirmed_point(const Context& ctx, const Repository& repository, const ObjectId& id) {
  ListedPoint listed = get_point(ctx, repository, id);
  if (listed.state == PointState::confirmed && listed.trusted) return std::move(listed.point);
  throw Error(Code::refused, "restore point " + hex(id) + ": is not confirmed, or not by whom it should be");
}

const DiskPoint& disk_of(const RestorePoint& point, const std::optional<std::string>& name) {
  std::string names;
  for (const auto& disk : point.disks) {
    if (name ? disk.disk == *name : point.disks.size() == 1) return disk;
    names += (names.empty() ? "" : ", ") + disk.disk;
  }
  throw Error(Code::usage, "restore point " + hex(point.id) + ": name one of its disks: " + names);
}

}  // namespace

PointExport::PointExport(const Context& ctx, const Repository& repository, const ObjectId& point,
                         const std::optional<std::string>& disk)
    : repository_(repository), point_(confirmed_point(ctx, repository_, point)), source_(disk_of(point_, disk)) {}

void PointExport::start(const Context& ctx) {
  // Before the index is read: what that names stays from then on.
  take_lease(ctx);
  if (!is_kept(ctx, repository_, point_.id))
    throw Error(Code::not_found, "restore point " + hex(point_.id) + ": was let go just now");
  index_ = Index::load(ctx, repository_);
  disk_ = std::make_unique<PointDisk>(
      repository_, *index_, source_.map,
      PointDiskOptions{.name = "disk " + source_.disk + " of restore point " + hex(point_.id)});
}

void PointExport::take_lease(const Context& ctx) {
  try {
    lease_ =
        std::make_unique<Lease>(ctx, repository_, LeaseHolding{.kind = LeaseKind::reader, .contents = {source_.map}});
  } catch (const Error& e) {
    if (e.code() != Code::io && e.code() != Code::no_space) throw;
    ctx.warn(std::string("nobody can be told that a restore point is being read (") + e.what() +
             "): do not prune meanwhile");
  }
}

}  // namespace muster::backup
