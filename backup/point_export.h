// A disk of a restore point, found and opened for a server of it: with a reader's lease, so that it stays. Not
// thread-safe; the disk is.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "backup/index.h"
#include "backup/lease.h"
#include "backup/point_disk.h"
#include "backup/repository.h"
#include "backup/restore_point.h"

namespace muster::backup {

class PointExport {
 public:
  // `repository` outlives it. `disk` may be left out where there is only one. Throws Error{not_found, key, corrupt},
  // Error{refused} for a point that was not confirmed, Error{usage} naming its disks.
  PointExport(const base::Context& ctx, const Repository& repository, const ObjectId& point,
              const std::optional<std::string>& disk);

  // Makes threads, and takes the lease: where the repository cannot be written to, warns that there is none. Throws
  // Error{not_found} for a point that was let go meanwhile, and what Index::load() throws.
  void start(const base::Context& ctx);
  // Once started.
  PointDisk& disk() { return *disk_; }
  // At the end, while others may still read.
  void drop_lease() { lease_.reset(); }

 private:
  void take_lease(const base::Context& ctx);

  const Repository& repository_;
  RestorePoint point_;
  const DiskPoint& source_;
  std::unique_ptr<Lease> lease_;
  std::unique_ptr<Index> index_;
  std::unique_ptr<PointDisk> disk_;
};

}  // namespace muster::backup
