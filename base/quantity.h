// Sizes, durations and counts as users write them (cli.md): `20G`, `90s`, `25%`. Pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace muster::base {

// Bytes: a whole number, or one with K, M, G, T as powers of 1024, as qemu-img reads them. Throws Error{usage}.
std::uint64_t parse_size(std::string_view text);

// `90s`, `5m`, `26h`, `7d`, a bare number of seconds, or `1.5s`; at most 10 years. Throws Error{usage}.
std::chrono::milliseconds parse_duration(std::string_view text);

// A whole number between `low` and `high`, both included. Throws Error{usage} naming `what`.
std::int64_t parse_integer(std::string_view text, std::int64_t low, std::int64_t high, std::string_view what);

// `N` or `N%` of a total.
struct Share {
  std::int64_t amount = 0;
  enum class Unit { count, percent } unit = Unit::count;

  // Of `total` units, rounded down for percentages.
  std::size_t of(std::size_t total) const;
};
Share parse_share(std::string_view text, std::string_view what);

// `0.42s`, `12.3s`, `4m10s`: for people, not for parsing.
std::string format_duration(std::chrono::milliseconds duration);

// `12 MiB`, rounded up: for people.
std::string format_mib(std::uint64_t bytes);

}  // namespace muster::base
