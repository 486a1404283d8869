// Keeps restore points where they are while they are read.
#pragma once

#include <memory>
#include <vector>

#include "backup/lease.h"
#include "backup/restore_point.h"
#include "cli/backup_repository.h"

namespace muster::cli {

// nullptr, with a warning, where the repository cannot be written to: then a prune beside may take away what is being
// read, which is noticed. Before the index is loaded. Throws base::Error{not_found} for points that are gone by now.
std::unique_ptr<backup::Lease> hold_points(const OpenedRepository& opened,
                                           const std::vector<const backup::ListedPoint*>& points);
// As that, for whoever looks at all that is there.
std::unique_ptr<backup::Lease> hold_all(const OpenedRepository& opened);

}  // namespace muster::cli
