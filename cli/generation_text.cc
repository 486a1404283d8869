#include "cli/generation_text.h"

#include <nlohmann/json.hpp>

namespace muster::cli {

std::string generation_text(const nlohmann::json& fields) {
  return fields.value("master", "") + "@" + std::to_string(fields.value("generation", 0));
}

}  // namespace muster::cli
