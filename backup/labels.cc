#include "backup/labels.h"

#include <algorithm>
#include <cctype>

#include <nlohmann/json.hpp>

#include "backup/fields.h"
#include "backup/numbered_objects.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Code;
using base::Context;
using base::Error;
using nlohmann::json;

constexpr std::size_t kMaxTagBytes = 100;

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
  json fields = {{"add", change.add}, {"remove", change.remove}};
  if (change.pin) fields["pin"] = *change.pin;
  const std::string name = next_numbered_name(ctx, repository.storage(), kLabelsPrefix, point);
  repository.put_document(ctx, repository.address(name, DocumentKind::label), fields_bytes(fields), Encrypted::yes);
}

LabelChanges read_labels(const Context& ctx, const Repository& repository) {
  LabelChanges changes;
  read_numbered(ctx, repository, kLabelsPrefix, DocumentKind::label, [&](const NumberedDocument& document) {
    LabelChange change = decode_change(document.fields, document.object);
    change.domain = document.domain;
    change.by_owner = document.by_owner;
    changes[document.point].push_back(std::move(change));
  });
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

}  // namespace muster::backup
