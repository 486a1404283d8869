// Sizes for people: `512K`, `1.5G`, as qemu-img and ls -h write them. Pure functions.
#pragma once

#include <cstdint>
#include <string>

namespace muster::cli {

std::string size_text(std::uint64_t bytes);

// The same without loss, as --size and the like read it: `20G`, `1536M`, `1000`.
std::string exact_size_text(std::uint64_t bytes);

}  // namespace muster::cli
