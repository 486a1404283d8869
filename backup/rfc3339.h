// Times as documents and messages have them: RFC 3339, in UTC, whole seconds. Pure functions.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace muster::backup {

std::string rfc3339(std::chrono::sys_seconds time);
// `2026-11-22T02:00:00Z`. Throws base::Error{corrupt} naming `what` for anything else.
std::chrono::sys_seconds parse_rfc3339(std::string_view text, std::string_view what);

std::chrono::sys_seconds now();

}  // namespace muster::backup
