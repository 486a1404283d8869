#include "inventory/name_folding.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "inventory/range_merge.h"

namespace muster::inventory {
namespace {

using base::is_digit;

// Names that differ in their numbers only.
struct Family {
  std::vector<std::string_view> pieces;                // the text around the numbers: one more than there are numbers
  std::vector<std::vector<std::string_view>> numbers;  // for each name
};

// As printed in a range: shorter first, so that 9 comes before 10, and 10 before 010.
bool number_before(std::string_view a, std::string_view b) { return std::pair(a.size(), a) < std::pair(b.size(), b); }

bool is_padded(std::string_view digits) { return digits.size() > 1 && digits.front() == '0'; }

std::string successor(std::string_view digits) {
  std::string next(digits);
  for (auto at = next.rbegin(); at != next.rend(); ++at) {
    if (*at != '9') return ++*at, next;
    *at = '0';
  }
  return "1" + next;
}

// `1-3,5,08-10`: a padded run keeps its width, so 99 goes on to 100 but 09 to 99 does not.
std::string format_runs(const std::vector<std::string_view>& numbers) {
  std::string text;
  for (std::size_t begin = 0; begin < numbers.size();) {
    std::size_t end = begin + 1;
    while (end < numbers.size() && !(is_padded(numbers[begin]) && numbers[end].size() != numbers[begin].size()) &&
           numbers[end] == successor(numbers[end - 1]))
      ++end;
    if (!text.empty()) text += ',';
    text += numbers[begin];
    if (end - begin > 1) text.append("-").append(numbers[end - 1]);
    begin = end;
  }
  return text;
}

std::string format_set(const std::vector<std::string_view>& numbers) {
  return numbers.size() == 1 ? std::string(numbers[0]) : "[" + format_runs(numbers) + "]";
}

// The values one dimension takes, in the order of number_before, and how they rank as text.
struct Axis {
  std::vector<std::string_view> values;
  std::vector<std::uint32_t> text_order;
};

Axis make_axis(const Family& family, std::size_t dimension) {
  Axis axis;
  for (const auto& numbers : family.numbers) axis.values.push_back(numbers[dimension]);
  std::sort(axis.values.begin(), axis.values.end(), number_before);
  axis.values.erase(std::unique(axis.values.begin(), axis.values.end()), axis.values.end());
  std::vector<std::uint32_t> by_text(axis.values.size());
  for (std::uint32_t i = 0; i < by_text.size(); ++i) by_text[i] = i;
  std::sort(by_text.begin(), by_text.end(),
            [&](std::uint32_t a, std::uint32_t b) { return axis.values[a] < axis.values[b]; });
  axis.text_order.resize(by_text.size());
  for (std::uint32_t rank = 0; rank < by_text.size(); ++rank) axis.text_order[by_text[rank]] = rank;
  return axis;
}

std::vector<Point> locate(const Family& family, const std::vector<Axis>& axes) {
  std::vector<std::unordered_map<std::string_view, std::uint32_t>> places(axes.size());
  for (std::size_t d = 0; d < axes.size(); ++d)
    for (std::uint32_t i = 0; i < axes[d].values.size(); ++i) places[d].emplace(axes[d].values[i], i);
  std::vector<Point> points;
  points.reserve(family.numbers.size());
  for (const auto& numbers : family.numbers) {
    Point point(axes.size());
    for (std::size_t d = 0; d < axes.size(); ++d) point[d] = places[d].at(numbers[d]);
    points.push_back(std::move(point));
  }
  return points;
}

std::string format_box(const Family& family, const std::vector<Axis>& axes, const Box& box) {
  std::string text(family.pieces[0]);
  for (std::size_t d = 0; d < axes.size(); ++d) {
    std::vector<std::string_view> numbers;
    for (const auto coordinate : box[d]) numbers.push_back(axes[d].values[coordinate]);
    text.append(format_set(numbers)).append(family.pieces[d + 1]);
  }
  return text;
}

std::vector<std::string> fold_family(const Family& family) {
  std::vector<Axis> axes;
  std::vector<std::vector<std::uint32_t>> text_order;
  for (std::size_t d = 0; d + 1 < family.pieces.size(); ++d) {
    axes.push_back(make_axis(family, d));
    text_order.push_back(axes.back().text_order);
  }
  if (axes.empty()) return {std::string(family.pieces[0])};
  std::vector<std::string> folded;
  if (axes.size() == 1) {
    folded.push_back(std::string(family.pieces[0]) + format_set(axes[0].values) + std::string(family.pieces[1]));
    return folded;
  }
  for (const auto& box : merge_points(locate(family, axes), text_order))
    folded.push_back(format_box(family, axes, box));
  return folded;
}

// The name with `%s` for each number. Families are printed in this order, which is ClusterShell's, so that `web[1-3]`
// stands before `web-old`.
std::string family_key(std::string_view name) {
  std::string key;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (!is_digit(name[i]))
      key.append(name[i] == '%' ? 2 : 1, name[i]);
    else if (i == 0 || !is_digit(name[i - 1]))
      key += "%s";
  }
  return key;
}

void split_name(std::string_view name, Family& family) {
  std::vector<std::string_view> pieces, numbers;
  for (std::size_t i = 0;;) {
    std::size_t digit = i;
    while (digit < name.size() && !is_digit(name[digit])) ++digit;
    pieces.push_back(name.substr(i, digit - i));
    if (digit == name.size()) break;
    i = digit;
    while (i < name.size() && is_digit(name[i])) ++i;
    numbers.push_back(name.substr(digit, i - digit));
  }
  if (family.pieces.empty()) family.pieces = std::move(pieces);
  family.numbers.push_back(std::move(numbers));
}

}  // namespace

std::string fold_names(const std::vector<std::string>& names) {
  std::vector<std::string_view> unique(names.begin(), names.end());
  std::sort(unique.begin(), unique.end());
  unique.erase(std::unique(unique.begin(), unique.end()), unique.end());
  std::map<std::string, Family> families;
  for (const auto name : unique) split_name(name, families[family_key(name)]);
  std::string text;
  for (const auto& [key, family] : families)
    for (const auto& folded : fold_family(family)) {
      if (!text.empty()) text += ',';
      text += folded;
    }
  return text;
}

}  // namespace muster::inventory
