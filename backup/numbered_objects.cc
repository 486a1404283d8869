#include "backup/numbered_objects.h"

#include <algorithm>
#include <map>

namespace muster::backup {

using base::Context;

std::vector<NumberedObject> list_numbered(const Context& ctx, Storage& storage, std::string_view prefix) {
  std::vector<NumberedObject> objects;
  storage.list(ctx, std::string(prefix), [&](const StoredObject& object) {
    if (const auto name = parse_numbered_name(prefix, object.name)) objects.push_back({*name, object.name});
  });
  std::sort(objects.begin(), objects.end(),
            [](const NumberedObject& a, const NumberedObject& b) { return a.object < b.object; });
  return objects;
}

std::string next_numbered_name(const Context& ctx, Storage& storage, std::string_view prefix, const ObjectId& point) {
  std::uint32_t number = 0;
  for (const auto& [name, object] : list_numbered(ctx, storage, prefix))
    if (name.of == point && name.number != UINT32_MAX) number = std::max(number, name.number + 1);
  return numbered_name(prefix, {.of = point, .number = number, .own = random_object_id()});
}

void remove_stale_numbered(const Context& ctx, Storage& storage, std::string_view prefix) {
  std::map<ObjectId, bool> there;
  for (const auto& [name, object] : list_numbered(ctx, storage, prefix)) {
    // Looked for after the object was seen: a point is there before what is about it.
    const auto [known, fresh] = there.try_emplace(name.of, false);
    if (fresh) known->second = storage.stat(ctx, object_name(kPointsPrefix, name.of)).has_value();
    if (!known->second) storage.remove(ctx, object);
  }
}

}  // namespace muster::backup
