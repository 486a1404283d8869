// Objects of which there may be many about one restore point, in order: labels, boot checks (muster-repository(7)).
// They come after their point, and go once it is gone. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "backup/object_names.h"
#include "backup/repository.h"
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
// One of them, opened, and whose word it is: the owner's counts everywhere, a host's in its domain.
struct NumberedDocument {
  ObjectId point;
  const std::string& object;
  const nlohmann::json& fields;
  Domain domain = kNobody;
  bool by_owner = false;
};
// All that can be read, in order. Warns of those that are damaged; those of others' keys are passed over. What `take`
// throws with Error{corrupt} is damage, too.
void read_numbered(const base::Context& ctx, const Repository& repository, std::string_view prefix, DocumentKind kind,
                   const std::function<void(const NumberedDocument&)>& take);

// Removes those of points that are gone.
void remove_stale_numbered(const base::Context& ctx, Storage& storage, std::string_view prefix);

}  // namespace muster::backup
