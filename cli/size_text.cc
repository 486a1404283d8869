#include "cli/size_text.h"

#include <array>

#include <fmt/format.h>

namespace muster::cli {

namespace {

constexpr std::array kUnits{"", "K", "M", "G", "T", "P"};
constexpr std::size_t kLargestRead = 4;  // base::parse_size() knows no more

}  // namespace

std::string size_text(std::uint64_t bytes) {
  auto amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (amount >= 1024 && unit + 1 < kUnits.size()) {
    amount /= 1024;
    ++unit;
  }
  const bool whole = amount >= 10 || amount == static_cast<double>(static_cast<std::uint64_t>(amount));
  return fmt::format("{:.{}f}{}", amount, whole ? 0 : 1, kUnits[unit]);
}

std::string exact_size_text(std::uint64_t bytes) {
  std::size_t unit = 0;
  for (; bytes != 0 && bytes % 1024 == 0 && unit < kLargestRead; ++unit) bytes /= 1024;
  return fmt::format("{}{}", bytes, kUnits[unit]);
}

}  // namespace muster::cli
