// Files for programs of others, in a directory of our own that goes with them: whole, and not synced. Any thread.
#pragma once

#include <string>
#include <string_view>

namespace muster::disk {

// In place of what is there. Throws Error{no_space, io}.
void write_scratch(const std::string& path, std::string_view bytes);

// Empty where there is none.
std::string read_scratch(const std::string& path);

}  // namespace muster::disk
