// An Error as JSON between processes: its code by name, its text.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"

namespace muster::cli {

nlohmann::json to_json(const base::Error& error);
// What is no error in this form becomes Error{io}.
base::Error error_from_json(const nlohmann::json& json);

}  // namespace muster::cli
