// Files that are there whole or not at all, also after a crash. Blocks on the file system.
#pragma once

#include <string>
#include <string_view>

#include <sys/types.h>

namespace muster::base {

// Writes `bytes` to a temporary name beside `path`, syncs it, renames it over `path`, syncs the directory.
// Throws Error{io, no_space, not_found}; then `path` is as it was.
void replace_file(const std::string& path, std::string_view bytes, mode_t mode = 0644);

// Throws what replace_file() would throw for a place that is none: before work whose result is to go there.
void check_replaceable(const std::string& path);

// Appends whole lines under an exclusive lock on the file, which is made with `mode` if missing. Other writers that
// lock, and readers, never see half a line of ours. Throws Error{io, no_space, not_found}.
void append_locked(const std::string& path, std::string_view lines, mode_t mode = 0600);

}  // namespace muster::base
