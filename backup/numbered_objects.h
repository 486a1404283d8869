// Objects of which there may be many about one restore point, in order: labels, boot checks (muster-repository(7)).
// They come after their point, and go once it is gone. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backup/object_names.h"
#include "backup/storage.h"
#include "base/context.h"

namespace muster::backup {

struct NumberedObject {
  NumberedName name;
  std::string object;
};

// In the order in which they hold: by number, and by name where two were made at once.
std::vector<NumberedObject> list_numbered(const base::Context& ctx, Storage& storage, std::string_view prefix);
// A name for one more about that point. Another may take the same number meanwhile.
std::string next_numbered_name(const base::Context& ctx, Storage& storage, std::string_view prefix,
                               const ObjectId& point);
// Removes those of points that are gone.
void remove_stale_numbered(const base::Context& ctx, Storage& storage, std::string_view prefix);

}  // namespace muster::backup
