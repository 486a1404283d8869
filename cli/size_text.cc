#include "cli/size_text.h"

#include <array>

#include <fmt/format.h>

namespace muster::cli {

std::string size_text(std::uint64_t bytes) {
  static constexpr std::array kUnits{"", "K", "M", "G", "T", "P"};
  auto amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (amount >= 1024 && unit + 1 < kUnits.size()) {
    amount /= 1024;
    ++unit;
  }
  const bool whole = amount >= 10 || amount == static_cast<double>(static_cast<std::uint64_t>(amount));
  return fmt::format("{:.{}f}{}", amount, whole ? 0 : 1, kUnits[unit]);
}

}  // namespace muster::cli
