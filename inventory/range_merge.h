// Joins points of an n-dimensional grid into few boxes, each the product of one set of coordinates a dimension, by the
// greedy rules that ClusterShell 1.9 shows at its surface: the result is not the smallest one, but the one that
// `nodeset -f` prints. Internal to name_folding. Pure functions.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace muster::inventory {

// Coordinates are indices into the dimension's values, which are sorted as numbers are printed.
using Point = std::vector<std::uint32_t>;

// Sorted coordinates for each dimension.
using Box = std::vector<std::vector<std::uint32_t>>;

// `points`: without duplicates, `text_order[d][c]`: rank of value `c` of dimension `d` when compared as text.
// Cost: O(n log n) a pass over the boxes, few passes in practice.
std::vector<Box> merge_points(const std::vector<Point>& points,
                              const std::vector<std::vector<std::uint32_t>>& text_order);

}  // namespace muster::inventory
