#include "backup/tripwire.h"

#include <algorithm>

#include <fmt/format.h>

namespace muster::backup {
namespace {

// Fewer nights are no habit; older ones are another's.
constexpr std::size_t kFewest = 3, kMost = 30;
// Less than that is an ordinary evening's work.
constexpr std::uint64_t kSmallestBytes = 32U << 20;
constexpr double kJump = 4;
// Stored of each byte that is new: what is encrypted does not compress; what was so before proves nothing.
constexpr double kIncompressible = 0.95, kUsuallyLess = 0.85;

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double ratio(const RestorePoint& point) {
  return static_cast<double>(point.bytes_stored) / static_cast<double>(point.bytes_new);
}

}  // namespace

std::optional<std::string> looks_encrypted(const std::vector<RestorePoint>& history, const RestorePoint& latest) {
  std::vector<double> bytes, ratios;
  // The first has all of the disk: it is no change.
  for (auto point = history.rbegin(); point != history.rend() && bytes.size() < kMost; ++point) {
    if (!point->parent) continue;
    bytes.push_back(static_cast<double>(point->bytes_new));
    // What is next to nothing says nothing of how it compresses.
    if (point->bytes_new >= (1U << 20)) ratios.push_back(ratio(*point));
  }
  if (!latest.parent || bytes.size() < kFewest || ratios.empty() || latest.bytes_new < kSmallestBytes)
    return std::nullopt;
  const double usual = median(bytes), compressed = median(ratios);
  if (static_cast<double>(latest.bytes_new) < kJump * usual) return std::nullopt;
  if (ratio(latest) < kIncompressible || compressed > kUsuallyLess) return std::nullopt;
  return fmt::format("{} MiB are new, where {} MiB are usual, and they compress to {:.0f} %, where {:.0f} % is usual",
                     latest.bytes_new >> 20U, static_cast<std::uint64_t>(usual) >> 20U, 100 * ratio(latest),
                     100 * compressed);
}

}  // namespace muster::backup
