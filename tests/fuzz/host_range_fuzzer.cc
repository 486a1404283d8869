// A range either expands within its limits or is a usage error; folding what it expands to, and expanding that again,
// gives the same set. The input is also taken as a list of names.
#include <algorithm>
#include <cstdint>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "inventory/host_range.h"
#include "inventory/name_folding.h"

namespace {

using namespace muster;
using Names = std::vector<std::string>;

constexpr std::size_t kNamesFolded = 2000;  // enough for every shape, and quick

// The folded line's items: commas outside brackets separate.
Names split_folded(std::string_view text) {
  Names items(1);
  bool inside = false;
  for (const char c : text) {
    if (c == '[' || c == ']') inside = c == '[';
    if (c == ',' && !inside)
      items.emplace_back();
    else
      items.back() += c;
  }
  return items;
}

void check_round_trip(const Names& names) {
  std::set<std::string> again;
  for (const auto& item : split_folded(inventory::fold_names(names)))
    for (auto& name : inventory::expand_ranges(item, inventory::RangeSyntax::both)) again.insert(std::move(name));
  if (again != std::set<std::string>(names.begin(), names.end())) throw std::logic_error("folding changed the set");
}

void check_range(std::string_view text, inventory::RangeSyntax syntax) {
  Names names;
  try {
    names = inventory::expand_ranges(text, syntax);
  } catch (const base::Error& e) {
    if (e.code() != base::Code::usage) throw;
    return;
  }
  if (names.size() > inventory::kMaxRangeHosts) throw std::logic_error("more names than the limit");
  const bool plain = std::none_of(names.begin(), names.end(), [](const std::string& name) {
    return name.empty() || name.find_first_of("[],") != std::string::npos;
  });
  if (plain && !names.empty() && names.size() <= kNamesFolded) check_round_trip(names);
}

void check_list(std::string_view text) {
  Names names;
  for (const char c : text) {
    if (c == '[' || c == ']') continue;
    if (names.empty() || c == ',' || c == ' ' || c == '\n') names.emplace_back();
    if (c != ',' && c != ' ' && c != '\n') names.back() += c;
  }
  // A number longer than a range allows is folded, and not expanded again.
  std::erase_if(names, [](const std::string& name) { return name.empty() || name.size() > 60; });
  if (!names.empty() && names.size() <= kNamesFolded) check_round_trip(names);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  check_range(text, inventory::RangeSyntax::ansible);
  check_range(text, inventory::RangeSyntax::both);
  check_list(text);
  return 0;
}
