// Parses the YAML of an inventory or of a file of variables as the dialect wants it, and keeps it. Internal to
// inventory/. Not thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "inventory/content.h"
#include "inventory/report.h"

namespace muster::inventory {

// nullptr where it is no YAML and problems are collected; otherwise it lives as long as `content`.
const yaml::Document* keep_file(Inventory::Content& content, Report& report, const std::string& path);
const yaml::Document* keep_text(Inventory::Content& content, Report& report, std::string_view text,
                                const std::string& file);

}  // namespace muster::inventory
