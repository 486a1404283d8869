#include "cli/error_json.h"

#include <nlohmann/json.hpp>

namespace muster::cli {

nlohmann::json to_json(const base::Error& error) {
  return {{"code", base::name_of(error.code())}, {"text", error.what()}};
}

base::Error error_from_json(const nlohmann::json& json) {
  const std::string code = json.is_object() ? json.value("code", "io") : "io";
  const std::string text = json.is_object() ? json.value("text", "no reason given") : "no reason given";
  return {base::code_named(code), text};
}

}  // namespace muster::cli
