// How files are listed that are inside of a restore point: names alone, a table, or results of --json.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "cli/program.h"
#include "disk/guest_files.h"

namespace muster::cli {

// Names, or with --long a table; with --json a result for each. Then the summary. Returns the exit status.
int show_entries(const Program& program, const std::vector<disk::GuestEntry>& entries);

std::string entries_table(const std::vector<disk::GuestEntry>& entries);
nlohmann::json entry_json(const disk::GuestEntry& entry);
// As a field of --json: `NAME`, or where it is no UTF-8, `NAME_b64`.
void add_text(nlohmann::json& fields, const std::string& name, const std::string& text);
// Also what would end the line is made visible: names are whatever somebody likes.
std::string on_one_line(const std::string& text);

}  // namespace muster::cli
