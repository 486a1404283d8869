#include "inventory/close_names.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace muster::inventory {
namespace {

constexpr std::size_t kMaxSuggestions = 3;
constexpr std::size_t kMaxLength = 64;

// How many characters are inserted, deleted, replaced, or swapped with their neighbour (optimal string alignment).
std::size_t distance(std::string_view one, std::string_view other) {
  std::vector<std::size_t> before_last, last(other.size() + 1), row(other.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= one.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= other.size(); ++j) {
      row[j] = std::min({last[j - 1] + (one[i - 1] == other[j - 1] ? 0U : 1U), last[j] + 1, row[j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = std::exchange(last, row);
  }
  return last.back();
}

}  // namespace

void CloseNames::consider(std::string_view name) {
  const std::size_t allowed = wanted_.size() < 4 ? 1 : 2;
  const std::size_t apart = std::max(name.size(), wanted_.size()) - std::min(name.size(), wanted_.size());
  if (apart > allowed || std::max(name.size(), wanted_.size()) > kMaxLength) return;
  const std::size_t found = distance(wanted_, name);
  if (found > allowed || found >= wanted_.size()) return;
  if (!best_.empty() && found > distance_) return;
  if (!best_.empty() && found < distance_) best_.clear();
  distance_ = found;
  if (best_.size() < kMaxSuggestions) best_.emplace_back(name);
}

std::string CloseNames::suggestion() const {
  if (best_.empty()) return "";
  std::string text = "; did you mean ";
  for (std::size_t i = 0; i < best_.size(); ++i) {
    if (i > 0) text += i + 1 == best_.size() ? " or " : ", ";
    text += "'" + best_[i] + "'";
  }
  return text + "?";
}

std::string known_words(const std::string& wrong, const std::vector<std::string_view>& known) {
  CloseNames close(wrong);
  for (const auto key : known) close.consider(key);
  if (std::string near = close.suggestion(); !near.empty()) return near;
  std::string all = "; write ";
  for (std::size_t i = 0; i < known.size(); ++i)
    all += std::string(i == 0 ? "" : i + 1 == known.size() ? " or " : ", ") + std::string(known[i]);
  return all;
}

}  // namespace muster::inventory
