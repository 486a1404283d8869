// Sizes for people: `512K`, `1.5G`, as qemu-img and ls -h write them. Pure functions.
#pragma once

#include <cstdint>
#include <string>

namespace muster::cli {

std::string size_text(std::uint64_t bytes);

}  // namespace muster::cli
