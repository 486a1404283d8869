// Parses the YAML of an inventory or of a file of variables as the dialect wants it, and keeps it. Internal to
// inventory/. Not thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "inventory/content.h"
#include "inventory/report.h"

namespace muster::inventory {

// Whether the name of a file is that of an inventory; and what to tell where it is not.
bool has_yaml_name(const std::string& path);
std::string not_read(const std::string& path);

// nullptr where it is no YAML and problems are collected; otherwise it lives as long as `content`.
const yaml::Document* keep_file(Inventory::Content& content, Report& report, const std::string& path);
const yaml::Document* keep_text(Inventory::Content& content, Report& report, std::string_view text,
                                const std::string& file);

}  // namespace muster::inventory
