// The last steps of a backup: a point that was put becomes one that holds, or is taken back where maintenance has let
// go of what it relies on (muster-repository(7), "Writing").
#pragma once

#include "backup/index.h"
#include "backup/repository.h"
#include "backup/restore_point.h"

namespace muster::backup {

// `index`: loaded before anything was relied on. True: the point holds, for ever. False: it is gone again, and the
// backup has to be made anew, without relying on `index` or the point's parent.
bool settle(const base::Context& ctx, const Repository& repository, const Index& index, const RestorePoint& point);

// Whether all that `point` names is where it stays, by `index`.
bool relies_on_what_stays(const base::Context& ctx, const Repository& repository, const Index& index,
                          const RestorePoint& point);

// Waits as long as the store's lists may lag behind.
void wait_out_lag(const base::Context& ctx, const Storage& storage);

}  // namespace muster::backup
