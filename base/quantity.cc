#include "base/quantity.h"

#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "base/error.h"

namespace muster::base {
namespace {

template <typename Number>
std::optional<Number> parse_whole(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

constexpr double kTenYearsInSeconds = 10 * 365.25 * 86400;

}  // namespace

std::uint64_t parse_size(std::string_view text) {
  const std::string original(text);
  unsigned shift = 0;
  if (!text.empty()) {
    switch (text.back()) {
      case 'k':
      case 'K':
        shift = 10;
        break;
      case 'm':
      case 'M':
        shift = 20;
        break;
      case 'g':
      case 'G':
        shift = 30;
        break;
      case 't':
      case 'T':
        shift = 40;
        break;
      default:
        break;
    }
    if (shift != 0) text.remove_suffix(1);
  }
  const auto value = parse_whole<std::uint64_t>(text);
  if (!value) throw Error(Code::usage, "size '" + original + "': write bytes, or a number with K, M, G or T");
  if (*value > (UINT64_MAX >> shift)) throw Error(Code::usage, "size '" + original + "' is too large");
  return *value << shift;
}

std::chrono::milliseconds parse_duration(std::string_view text) {
  const std::string original(text);
  double unit = 1;
  if (!text.empty()) {
    switch (text.back()) {
      case 's':
        text.remove_suffix(1);
        break;
      case 'm':
        unit = 60;
        text.remove_suffix(1);
        break;
      case 'h':
        unit = 3600;
        text.remove_suffix(1);
        break;
      case 'd':
        unit = 86400;
        text.remove_suffix(1);
        break;
      default:
        break;
    }
  }
  const auto value = parse_whole<double>(text);
  if (!value || !(*value >= 0)) throw Error(Code::usage, "duration '" + original + "': write it as 90s, 5m, 26h or 7d");
  if (*value * unit > kTenYearsInSeconds)
    throw Error(Code::usage, "duration '" + original + "' is too long: ten years are the most");
  return std::chrono::milliseconds(static_cast<std::int64_t>(*value * unit * 1000));
}

std::int64_t parse_integer(std::string_view text, std::int64_t low, std::int64_t high, std::string_view what) {
  const auto value = parse_whole<std::int64_t>(text);
  if (!value || *value < low || *value > high)
    throw Error(Code::usage, fmt::format("{} '{}': write a number from {} to {}", what, text, low, high));
  return *value;
}

std::size_t Share::of(std::size_t total) const {
  return unit == Unit::count ? static_cast<std::size_t>(amount) : total * static_cast<std::size_t>(amount) / 100;
}

Share parse_share(std::string_view text, std::string_view what) {
  if (!text.empty() && text.back() == '%')
    return {parse_integer(text.substr(0, text.size() - 1), 0, 100, what), Share::Unit::percent};
  return {parse_integer(text, 0, 1'000'000'000, what), Share::Unit::count};
}

std::string format_duration(std::chrono::milliseconds duration) {
  const auto ms = duration.count();
  if (ms < 60'000 && ms % 1000 == 0) return fmt::format("{}s", ms / 1000);
  if (ms < 10'000) return fmt::format("{:.2f}s", static_cast<double>(ms) / 1000);
  if (ms < 60'000) return fmt::format("{:.1f}s", static_cast<double>(ms) / 1000);
  if (ms < 3'600'000) return fmt::format("{}m{:02}s", ms / 60'000, ms / 1000 % 60);
  return fmt::format("{}h{:02}m", ms / 3'600'000, ms / 60'000 % 60);
}

std::string format_mib(std::uint64_t bytes) { return std::to_string((bytes + (1U << 20) - 1) >> 20) + " MiB"; }

}  // namespace muster::base
