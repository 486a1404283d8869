#include "inventory/host_range.h"

#include <algorithm>
#include <cstdint>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/quantity.h"

namespace muster::inventory {
namespace {

constexpr std::size_t kMaxTextBytes = 256U << 10;
constexpr std::size_t kMaxNameBytes = 512U << 20;  // of all names together
constexpr std::size_t kMaxDigits = 63;             // as long as a DNS label
constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

// What one stretch of the text may be: a literal has a single choice.
using Choices = std::vector<std::string>;

// The bracket being read, for error messages.
struct Bracket {
  std::string_view text;    // the whole name
  std::string_view inside;  // between the brackets

  [[noreturn]] void reject(std::string_view why) const {
    throw base::Error(base::Code::usage, fmt::format("range '[{}]' in '{}': {}", inside, text, why));
  }
};

[[noreturn]] void reject_size(std::string_view text) {
  throw base::Error(base::Code::usage,
                    fmt::format("'{}' stands for more than {} hosts; write a smaller range",
                                text.substr(0, std::min<std::size_t>(text.size(), 100)), kMaxRangeHosts));
}

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_padded(std::string_view digits) { return digits.size() > 1 && digits.front() == '0'; }

std::string_view without_zeros(std::string_view digits) {
  return digits.substr(std::min(digits.find_first_not_of('0'), digits.size() - 1));
}

// Numbers stay decimal strings: serial numbers in host names are longer than any integer type.
bool less_number(std::string_view a, std::string_view b) { return std::pair(a.size(), a) < std::pair(b.size(), b); }

std::string plus(std::string digits, std::uint64_t step) {
  for (auto at = digits.rbegin(); step != 0; ++at) {
    if (at == digits.rend()) return std::to_string(step) + digits;
    step += static_cast<std::uint64_t>(*at - '0');
    *at = static_cast<char>('0' + step % 10);
    step /= 10;
  }
  return digits;
}

std::uint64_t parse_step(const Bracket& bracket, std::string_view step) {
  if (!is_number(step)) bracket.reject(fmt::format("the step '{}' is no number; write 2 for every second", step));
  if (without_zeros(step) == "0") bracket.reject("a step of 0 never ends; write 1 or more");
  // A step beyond every limit on numbers leaves the first one alone, whatever it is exactly.
  return without_zeros(step).size() > 18 ? 1'000'000'000'000'000'000U
                                         : static_cast<std::uint64_t>(base::parse_integer(step, 1, INT64_MAX, "step"));
}

// Whether the ends alone tell that there are too many; for numbers that fit into an integer.
bool are_too_many(std::string_view first, std::string_view last, std::uint64_t step) {
  constexpr std::size_t kDigits = 18;
  if (std::max(first.size(), last.size()) > kDigits) return false;
  const auto number = [](std::string_view digits) {
    return static_cast<std::uint64_t>(base::parse_integer(digits, 0, INT64_MAX, "number"));
  };
  const std::uint64_t low = number(first), high = number(last);
  return high >= low && (high - low) / step >= kMaxRangeHosts;
}

std::vector<std::string> numbers(const Bracket& bracket, std::string_view first, std::string_view last,
                                 std::uint64_t step) {
  if (std::max(first.size(), last.size()) > kMaxDigits)
    bracket.reject(fmt::format("a number has more than {} digits", kMaxDigits));
  if (are_too_many(without_zeros(first), without_zeros(last), step)) reject_size(bracket.text);
  const std::size_t width = is_padded(first) ? first.size() : 0;
  std::vector<std::string> found;
  std::string number(without_zeros(first));
  while (!less_number(without_zeros(last), number)) {
    if (found.size() == kMaxRangeHosts) reject_size(bracket.text);
    found.push_back(std::string(width - std::min(width, number.size()), '0') + number);
    number = plus(std::move(number), step);
  }
  return found;
}

std::vector<std::string> letters(const Bracket& bracket, char first, char last, std::uint64_t step) {
  const auto begin = kLetters.find(first), end = kLetters.find(last);
  if (begin > end) bracket.reject("it runs backwards; letters are ordered a to z, then A to Z");
  std::vector<std::string> found;
  for (std::uint64_t at = begin; at <= end; at += std::min<std::uint64_t>(step, kLetters.size()))
    found.emplace_back(1, kLetters[at]);
  return found;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool is_letter(std::string_view text) { return text.size() == 1 && kLetters.find(text[0]) != std::string_view::npos; }

// `begin:end[:step]`, both ends included, an empty begin being 0.
Choices expand_colons(const Bracket& bracket, RangeSyntax syntax) {
  const auto bounds = split(bracket.inside, ':');
  if (bounds.size() < 2 || bounds.size() > 3) bracket.reject("write it as [begin:end] or [begin:end:step]");
  const std::string_view first = bounds[0].empty() ? "0" : bounds[0], last = bounds[1];
  if (last.empty()) bracket.reject("the end is missing; write it after the colon");
  const std::uint64_t step = bounds.size() == 3 ? parse_step(bracket, bounds[2]) : 1;
  if (is_letter(first) && is_letter(last)) return letters(bracket, first[0], last[0], step);
  if (!is_number(first) || !is_number(last)) bracket.reject("the ends are two numbers or two single letters");
  if (is_padded(first) && first.size() != last.size())
    bracket.reject("with leading zeros both ends have as many digits; write it as [01:10]");
  auto found = numbers(bracket, first, last, step);
  // Ansible takes a backward range of numbers for no hosts at all.
  if (found.empty() && syntax != RangeSyntax::ansible) bracket.reject("it runs backwards; write the smaller end first");
  return found;
}

// One item between commas: `7`, `1-10`, `1-10/2`.
std::vector<std::string> expand_dashes(const Bracket& bracket, std::string_view item) {
  const auto slash = item.find('/');
  const auto ends = split(item.substr(0, slash), '-');
  const auto first = ends.front(), last = ends.back();
  if (ends.size() > 2 || !is_number(first) || !is_number(last))
    bracket.reject("write ranges as [1-10], [1,3-5], [1-10/2], [1:10] or [a:f]");
  if (first.size() != last.size() && (is_padded(first) || is_padded(last)))
    bracket.reject("with leading zeros both ends have as many digits; write it as [01-10]");
  const std::uint64_t step = slash == std::string_view::npos ? 1 : parse_step(bracket, item.substr(slash + 1));
  if (ends.size() == 1 && step != 1) bracket.reject("a step needs a range; write it as [1-10/2]");
  auto found = numbers(bracket, first, last, step);
  if (found.empty()) bracket.reject("it runs backwards; write the smaller end first");
  return found;
}

Choices expand_list(const Bracket& bracket) {
  const auto items = split(bracket.inside, ',');
  if (items.size() == 1) return expand_dashes(bracket, items[0]);
  Choices all;
  std::unordered_set<std::string> seen;
  for (const auto item : items)
    for (auto& number : expand_dashes(bracket, item))
      if (seen.insert(number).second) {
        if (all.size() == kMaxRangeHosts) reject_size(bracket.text);
        all.push_back(std::move(number));
      }
  return all;
}

Choices expand_bracket(const Bracket& bracket, RangeSyntax syntax) {
  const bool colons = bracket.inside.find(':') != std::string_view::npos;
  return colons || syntax == RangeSyntax::ansible ? expand_colons(bracket, syntax) : expand_list(bracket);
}

// Stops as soon as the parts so far stand for too many names: every one of them may be a million numbers.
std::vector<Choices> parse(std::string_view text, RangeSyntax syntax) {
  std::vector<Choices> parts;
  std::size_t names = 1;
  for (std::string_view rest = text; !rest.empty();) {
    const auto open = rest.find('[');
    const auto literal = rest.substr(0, open);
    if (syntax == RangeSyntax::both && literal.find(']') != std::string_view::npos)
      throw base::Error(base::Code::usage, fmt::format("'{}' has a ']' without its '['", text));
    if (!literal.empty()) parts.push_back({std::string(literal)});
    if (open == std::string_view::npos) break;
    const auto close = rest.find(']', open);
    if (close == std::string_view::npos)
      throw base::Error(base::Code::usage, fmt::format("'{}' has a '[' without its ']'", text));
    parts.push_back(expand_bracket({text, rest.substr(open + 1, close - open - 1)}, syntax));
    names *= parts.back().size();
    if (names > kMaxRangeHosts) reject_size(text);
    rest.remove_prefix(close + 1);
  }
  return parts;
}

std::size_t count_names(std::string_view text, const std::vector<Choices>& parts) {
  std::size_t names = 1, longest = 0;
  for (const auto& choices : parts) {
    names *= choices.size();
    std::size_t longest_choice = 0;
    for (const auto& choice : choices) longest_choice = std::max(longest_choice, choice.size());
    longest += longest_choice;
  }
  if (names * longest > kMaxNameBytes) reject_size(text);
  return names;
}

}  // namespace

std::vector<std::string> expand_ranges(std::string_view text, RangeSyntax syntax) {
  if (text.find_first_of("[]") == std::string_view::npos) return {std::string(text)};
  if (text.size() > kMaxTextBytes) throw base::Error(base::Code::usage, "a range is longer than 256 KiB; split it");
  const auto parts = parse(text, syntax);
  std::vector<std::string> names;
  if (count_names(text, parts) != 0) names.emplace_back();
  for (const auto& choices : parts) {
    std::vector<std::string> longer;
    longer.reserve(names.size() * choices.size());
    for (const auto& name : names)
      for (const auto& choice : choices) longer.push_back(name + choice);
    names = std::move(longer);
  }
  return names;
}

}  // namespace muster::inventory
