#include "backup/numbered_objects.h"

#include <algorithm>
#include <map>

#include <nlohmann/json.hpp>

#include "backup/fields.h"
#include "base/error.h"

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

void read_numbered(const Context& ctx, const Repository& repository, std::string_view prefix, DocumentKind kind,
                   const std::function<void(const NumberedDocument&)>& take) {
  using base::Code;
  for (const auto& [name, object] : list_numbered(ctx, repository.storage(), prefix)) {
    try {
      const auto opened = repository.get_document(ctx, repository.address(object, kind));
      // Whose word it is says the signature, not the frame.
      const auto host = repository.host(ctx, *opened.signer);
      take(
          {.point = name.of,
           .object = object,
           .fields = parse_fields(opened.payload, object),
           .domain = host ? host->domain : kNobody,
           .by_owner = opened.signer == repository.owner_signer() || opened.signer == repository.maintenance_signer()});
    } catch (const base::Error& e) {
      if (e.code() != Code::not_found && e.code() != Code::corrupt && e.code() != Code::key) throw;
      if (e.code() == Code::corrupt) ctx.warn(e.what());
    }
  }
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
