// Named sets of limits from the key `profiles` of configuration files (muster-config(5)). A profile of a later file
// replaces one of the same name as a whole.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/limit_values.h"
#include "yaml/document.h"

namespace muster::cli {

inline constexpr const char* kProfilesKey = "profiles";

using LimitProfiles = std::map<std::string, LimitValues>;

// From the value of the key. Throws base::Error{usage} as file:line:column.
LimitProfiles limit_profiles(const yaml::Node& node, const std::string& file);
// From all `files` that exist.
LimitProfiles limit_profiles(const std::vector<std::string>& files);

}  // namespace muster::cli
