// What differs between two restore points of an area, by their listings alone: no file is read, and no page that both
// have. Not thread-safe.
#pragma once

#include <functional>

#include "backup/area_tree.h"
#include "backup/index.h"
#include "backup/repository.h"

namespace muster::backup {

enum class AreaChange { added, removed, content, metadata };

// Calls `take` in the order of the paths. Throws Error{corrupt}.
using TakeAreaChange = std::function<void(AreaChange change, const AreaItem& item)>;
void compare_areas(const base::Context& ctx, const Repository& repository, const Index& index, const AreaTree& from,
                   const AreaTree& to, const TakeAreaChange& take);

}  // namespace muster::backup
