// Writes into the user's own files, the inventory first of all: one writer at a time, the file whole at every moment.
// Blocks.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "cli/program.h"
#include "inventory/entries.h"

namespace muster::cli {

// The file that additions go to: --add-to, or the one inventory file that was named; nullopt: there is no inventory.
// Throws base::Error{usage} where several, or a directory, are read and --add-to does not say which file.
std::optional<std::string> inventory_file(const Program& program);

// Adds the hosts, or changes what is different (inventory/entries.h). False: nothing changed.
bool write_hosts(const Program& program, const std::string& file, const std::vector<inventory::HostEntry>& entries);

// Replaces a file by what `edit` makes of its text, under a lock; one that is not there is made with `mode`. False:
// nothing changed. Throws base::Error{timeout} where another writer holds it for a minute, and what `edit` throws.
bool edit_text_file(const base::Context& ctx, const std::string& file, mode_t mode,
                    const std::function<std::string(const std::string& text)>& edit);

}  // namespace muster::cli
