#include "inventory/close_names.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace muster::inventory {
namespace {

constexpr std::size_t kMaxSuggestions = 3;
constexpr std::size_t kMaxLength = 64;

// Levenshtein's distance: how many characters are inserted, deleted or replaced.
std::size_t distance(std::string_view one, std::string_view other) {
  std::vector<std::size_t> row(other.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= one.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= other.size(); ++j) {
      const std::size_t replaced = diagonal + (one[i - 1] == other[j - 1] ? 0U : 1U);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

void CloseNames::consider(std::string_view name) {
  const std::size_t allowed = wanted_.size() < 4 ? 1 : 2;
  const std::size_t apart = std::max(name.size(), wanted_.size()) - std::min(name.size(), wanted_.size());
  if (apart > allowed || std::max(name.size(), wanted_.size()) > kMaxLength) return;
  const std::size_t found = distance(wanted_, name);
  if (found > allowed || found >= wanted_.size()) return;
  const auto place = std::find_if(best_.begin(), best_.end(), [&](const Candidate& c) { return found < c.distance; });
  best_.insert(place, {.distance = found, .name = std::string(name)});
  if (best_.size() > kMaxSuggestions) best_.pop_back();
}

std::string CloseNames::suggestion() const {
  if (best_.empty()) return "";
  std::string text = "; did you mean ";
  for (std::size_t i = 0; i < best_.size(); ++i) {
    if (i > 0) text += i + 1 == best_.size() ? " or " : ", ";
    text += "'" + best_[i].name + "'";
  }
  return text + "?";
}

}  // namespace muster::inventory
