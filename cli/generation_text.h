// A generation of a master in what is told to people.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace muster::cli {

// `web@2`, by the fields `master` and `generation`.
std::string generation_text(const nlohmann::json& fields);

}  // namespace muster::cli
