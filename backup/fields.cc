#include "backup/fields.h"

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::ByteView;
using nlohmann::json;

[[noreturn]] void reject(std::string_view what, const char* name) {
  throw base::Error(base::Code::corrupt, std::string(what) + ": its field '" + name + "' is missing or makes no sense");
}

const json& field(const json& fields, const char* name, std::string_view what) {
  const auto found = fields.find(name);
  if (found == fields.end()) reject(what, name);
  return *found;
}

}  // namespace

json parse_fields(ByteView document, std::string_view what) {
  json fields = json::parse(base::as_text(document), nullptr, false);
  if (!fields.is_object()) throw base::Error(base::Code::corrupt, std::string(what) + ": no JSON object");
  return fields;
}

base::Bytes fields_bytes(const json& fields) {
  const std::string text = fields.dump(-1, ' ', false, json::error_handler_t::replace);
  const ByteView bytes = base::as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

std::string text_field(const json& fields, const char* name, std::string_view what) {
  const json& value = field(fields, name, what);
  if (!value.is_string()) reject(what, name);
  return value.get<std::string>();
}

std::uint64_t number_field(const json& fields, const char* name, std::uint64_t most, std::string_view what) {
  const json& value = field(fields, name, what);
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > most) reject(what, name);
  return value.get<std::uint64_t>();
}

ObjectId id_field(const json& fields, const char* name, std::string_view what) {
  return parse_object_id(text_field(fields, name, what), std::string(what) + ": '" + name + "'");
}

base::Bytes bytes_field(const json& fields, const char* name, std::size_t count, std::string_view what) {
  const auto bytes = base::base64_decode(text_field(fields, name, what));
  if (!bytes || bytes->size() != count) reject(what, name);
  const ByteView view = base::as_bytes(*bytes);
  return {view.begin(), view.end()};
}

const json& list_field(const json& fields, const char* name, std::string_view what) {
  static const json kEmpty = json::array();
  const auto found = fields.find(name);
  if (found == fields.end()) return kEmpty;
  if (!found->is_array()) reject(what, name);
  return *found;
}

std::vector<std::string> texts_field(const json& fields, const char* name, std::string_view what) {
  std::vector<std::string> texts;
  for (const json& value : list_field(fields, name, what)) {
    if (!value.is_string()) reject(what, name);
    texts.push_back(value.get<std::string>());
  }
  return texts;
}

std::vector<ObjectId> ids_field(const json& fields, const char* name, std::string_view what) {
  std::vector<ObjectId> ids;
  for (const auto& text : texts_field(fields, name, what))
    ids.push_back(parse_object_id(text, std::string(what) + ": '" + name + "'"));
  return ids;
}

std::string base64(ByteView bytes) { return base::base64_encode(base::as_text(bytes)); }

json hex_list(const std::vector<ObjectId>& ids) {
  json list = json::array();
  for (const auto& id : ids) list.push_back(hex(id));
  return list;
}

}  // namespace muster::backup
