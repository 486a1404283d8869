#include "backup/labels.h"

#include <algorithm>
#include <cctype>

#include <nlohmann/json.hpp>

#include "backup/fields.h"
#include "backup/object_names.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Code;
using base::Context;
using base::Error;
using nlohmann::json;

constexpr std::size_t kMaxTagBytes = 100;

// In the order in which they hold: by number, and by name where two were made at once.
std::vector<std::pair<NumberedName, std::string>> list_labels(const Context& ctx, Storage& storage) {
  std::vector<std::pair<NumberedName, std::string>> names;
  storage.list(ctx, kLabelsPrefix, [&](const StoredObject& object) {
    if (const auto name = parse_numbered_name(kLabelsPrefix, object.name)) names.emplace_back(*name, object.name);
  });
  std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return names;
}

LabelChange decode_change(const json& fields, std::string_view name) {
  LabelChange change{.add = texts_field(fields, "add", name), .remove = texts_field(fields, "remove", name)};
  const auto pin = fields.find("pin");
  if (pin != fields.end() && pin->is_boolean()) change.pin = pin->get<bool>();
  return change;
}

}  // namespace

void check_tag(const std::string& tag) {
  const bool bad = std::any_of(
      tag.begin(), tag.end(), [](unsigned char c) { return std::iscntrl(c) != 0 || std::isblank(c) != 0 || c == ','; });
  if (tag.empty() || tag.size() > kMaxTagBytes || bad || tag.front() == '-')
    throw Error(Code::usage, "'" + tag + "' cannot be a tag: 1 to 100 bytes, no blanks and commas, no '-' in front");
}

void change_labels(const Context& ctx, const Repository& repository, const ObjectId& point, const LabelChange& change) {
  std::uint32_t number = 0;
  for (const auto& [name, object] : list_labels(ctx, repository.storage()))
    if (name.of == point && name.number != UINT32_MAX) number = std::max(number, name.number + 1);
  json fields = {{"add", change.add}, {"remove", change.remove}};
  if (change.pin) fields["pin"] = *change.pin;
  const std::string name = numbered_name(kLabelsPrefix, {.of = point, .number = number, .own = random_object_id()});
  repository.put_document(ctx, repository.address(name, DocumentKind::label), fields_bytes(fields), Encrypted::yes);
}

LabelChanges read_labels(const Context& ctx, const Repository& repository) {
  LabelChanges changes;
  for (const auto& [name, object] : list_labels(ctx, repository.storage())) {
    try {
      const auto opened = repository.get_document(ctx, repository.address(object, DocumentKind::label));
      LabelChange change = decode_change(parse_fields(opened.payload, object), object);
      // Whose word it is says the signature, not the frame.
      const auto host = repository.host(ctx, *opened.signer);
      change.domain = host ? host->domain : kNobody;
      change.by_owner = opened.signer == repository.owner_signer() || opened.signer == repository.maintenance_signer();
      changes[name.of].push_back(std::move(change));
    } catch (const Error& e) {
      if (e.code() != Code::not_found && e.code() != Code::corrupt && e.code() != Code::key) throw;
      if (e.code() == Code::corrupt) ctx.warn(e.what());
    }
  }
  return changes;
}

Labels changed(Labels labels, const LabelChange& change) {
  labels.tags.insert(change.add.begin(), change.add.end());
  for (const auto& tag : change.remove) labels.tags.erase(tag);
  labels.pinned = change.pin.value_or(labels.pinned);
  return labels;
}

Labels labels_of(const RestorePoint& point, const LabelChanges& changes) {
  Labels labels{.tags = {point.tags.begin(), point.tags.end()}};
  const auto found = changes.find(point.id);
  if (found == changes.end()) return labels;
  for (const auto& change : found->second)
    if (change.by_owner || change.domain == point.domain) labels = changed(std::move(labels), change);
  return labels;
}

void remove_stale_labels(const Context& ctx, const Repository& repository) {
  Storage& storage = repository.storage();
  std::map<ObjectId, bool> there;
  for (const auto& [name, object] : list_labels(ctx, storage)) {
    // Looked for after the label was seen: a point is there before its labels.
    const auto [known, fresh] = there.try_emplace(name.of, false);
    if (fresh) known->second = storage.stat(ctx, object_name(kPointsPrefix, name.of)).has_value();
    if (!known->second) storage.remove(ctx, object);
  }
}

}  // namespace muster::backup
