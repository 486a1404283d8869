// Which names objects have, for whoever implements a storage or finds names that somebody else made.
// check_object_name() is in storage.h. Pure functions.
#pragma once

#include <string_view>

namespace muster::backup {

// As check_object_name() has it.
bool is_object_name(std::string_view name);

// Throws Error{usage} unless `prefix` is empty, or an object name and a slash.
void check_prefix(std::string_view prefix);

}  // namespace muster::backup
