// Reads the JSON documents of a repository, which come from outside: every field is checked for being there and for its
// type and range. All throw base::Error{corrupt} naming the document. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "backup/ids.h"
#include "base/bytes.h"

namespace muster::backup {

nlohmann::json parse_fields(base::ByteView document, std::string_view what);
base::Bytes fields_bytes(const nlohmann::json& fields);

std::string text_field(const nlohmann::json& fields, const char* name, std::string_view what);
std::uint64_t number_field(const nlohmann::json& fields, const char* name, std::uint64_t most, std::string_view what);
ObjectId id_field(const nlohmann::json& fields, const char* name, std::string_view what);
// Base64 of exactly `count` bytes.
base::Bytes bytes_field(const nlohmann::json& fields, const char* name, std::size_t count, std::string_view what);
// An array, empty where there is none.
const nlohmann::json& list_field(const nlohmann::json& fields, const char* name, std::string_view what);
std::vector<std::string> texts_field(const nlohmann::json& fields, const char* name, std::string_view what);
std::vector<ObjectId> ids_field(const nlohmann::json& fields, const char* name, std::string_view what);

std::string base64(base::ByteView bytes);
nlohmann::json hex_list(const std::vector<ObjectId>& ids);

}  // namespace muster::backup
