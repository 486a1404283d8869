#include "inventory/range_merge.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <utility>

namespace muster::inventory {
namespace {

constexpr std::uint32_t kNoNode = UINT32_MAX;

// A set of coordinates known by what comparing needs. Joining two disjoint sets adds their sums, so it costs the same
// for large sets as for small ones. Two sums of 64 bits make an accidental match of different sets no concern.
struct CoordinateSet {
  std::array<std::uint64_t, 2> sum{};
  std::uint32_t size = 0;
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  std::uint32_t tree = kNoNode;  // where the members are

  bool same_members(const CoordinateSet& other) const { return size == other.size && sum == other.sum; }
};

// Members of joined sets, as a tree: a leaf has a coordinate, an inner node two subtrees.
struct TreeNode {
  std::uint32_t left = kNoNode;
  std::uint32_t right_or_coordinate = kNoNode;
};

std::uint64_t scramble(std::uint64_t x) {  // the finaliser of SplitMix64
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

class Merger {
 public:
  Merger(const std::vector<Point>& points, const std::vector<std::vector<std::uint32_t>>& text_order)
      : dimensions_(text_order.size()), text_order_(text_order) {
    sets_.reserve(points.size() * dimensions_);
    nodes_.reserve(points.size() * dimensions_);
    for (const auto& point : points)
      for (const auto coordinate : point) sets_.push_back(single(coordinate));
    boxes_.resize(points.size());
    std::iota(boxes_.begin(), boxes_.end(), 0U);
  }

  // Neighbours are joined first, pass by pass, and only what is left is compared with everything.
  std::vector<Box> merge() {
    sort();
    while (join_neighbours()) sort();
    while (join_any()) sort();
    std::vector<Box> result;
    result.reserve(boxes_.size());
    for (const auto box : boxes_) result.push_back(members_of(box));
    return result;
  }

 private:
  // One box's place in the order of those that agree in all dimensions but one.
  struct Entry {
    std::uint64_t key;
    std::uint32_t position;
    bool operator<(const Entry& other) const { return std::pair(key, position) < std::pair(other.key, other.position); }
  };
  struct Index {
    std::vector<Entry> entries;
    std::vector<std::uint32_t> next_alive;  // over places in `entries`, shortened as places die
  };

  CoordinateSet single(std::uint32_t coordinate) {
    nodes_.push_back({kNoNode, coordinate});
    return {.sum = {scramble(coordinate + 0x9e3779b97f4a7c15U), scramble(coordinate + 0x6a09e667f3bcc909U)},
            .size = 1,
            .first = coordinate,
            .last = coordinate,
            .tree = static_cast<std::uint32_t>(nodes_.size() - 1)};
  }

  CoordinateSet& set(std::uint32_t box, std::size_t dimension) { return sets_[box * dimensions_ + dimension]; }

  // Larger boxes first, then those larger in the earlier dimension, then by their ends compared as text.
  bool before(std::uint32_t a, std::uint32_t b) {
    const auto volume_a = volume(a), volume_b = volume(b);
    if (volume_a != volume_b) return volume_a > volume_b;
    for (std::size_t d = 0; d < dimensions_; ++d) {
      const auto &x = set(a, d), &y = set(b, d);
      if (x.size != y.size) return x.size > y.size;
      if (x.first != y.first) return text_order_[d][x.first] < text_order_[d][y.first];
      if (x.last != y.last) return text_order_[d][x.last] < text_order_[d][y.last];
    }
    return false;
  }

  std::uint64_t volume(std::uint32_t box) {
    std::uint64_t product = 1;
    for (std::size_t d = 0; d < dimensions_; ++d) product *= set(box, d).size;
    return product;
  }

  void sort() {
    std::stable_sort(boxes_.begin(), boxes_.end(), [this](std::uint32_t a, std::uint32_t b) { return before(a, b); });
  }

  // The only dimension in which two boxes differ, if there is but one. Boxes never overlap, so they are disjoint in it.
  std::optional<std::size_t> joinable(std::uint32_t a, std::uint32_t b) {
    std::optional<std::size_t> found;
    for (std::size_t d = 0; d < dimensions_; ++d)
      if (!set(a, d).same_members(set(b, d))) {
        if (found) return std::nullopt;
        found = d;
      }
    return found;
  }

  void join(std::uint32_t into, std::uint32_t from, std::size_t dimension) {
    auto &x = set(into, dimension), &y = set(from, dimension);
    nodes_.push_back({x.tree, y.tree});
    x = {.sum = {x.sum[0] + y.sum[0], x.sum[1] + y.sum[1]},
         .size = x.size + y.size,
         .first = std::min(x.first, y.first),
         .last = std::max(x.last, y.last),
         .tree = static_cast<std::uint32_t>(nodes_.size() - 1)};
  }

  bool join_neighbours() {
    std::size_t kept = 0;
    for (std::size_t i = 1; i < boxes_.size(); ++i) {
      if (const auto dimension = joinable(boxes_[kept], boxes_[i]))
        join(boxes_[kept], boxes_[i], *dimension);
      else
        boxes_[++kept] = boxes_[i];
    }
    const bool changed = kept + 1 < boxes_.size();
    if (changed) boxes_.resize(kept + 1);
    return changed;
  }

  // Each box in turn takes, in order, whatever later box fits what it has become. The indices find those without
  // looking at the others.
  bool join_any() {
    build_indices();
    dead_.assign(boxes_.size(), false);
    bool changed = false;
    for (std::uint32_t i = 0; i < boxes_.size(); ++i) {
      if (dead_[i]) continue;
      for (std::uint32_t last = i;;) {
        const auto found = next_joinable(i, last);
        if (!found) break;
        last = found->first;
        join(boxes_[i], boxes_[last], found->second);
        dead_[last] = changed = true;
      }
    }
    std::vector<std::uint32_t> alive;
    for (std::uint32_t i = 0; i < boxes_.size(); ++i)
      if (!dead_[i]) alive.push_back(boxes_[i]);
    boxes_ = std::move(alive);
    return changed;
  }

  std::uint64_t key_without(std::uint32_t box, std::size_t skipped) {
    std::uint64_t key = 0;
    for (std::size_t d = 0; d < dimensions_; ++d)
      if (d != skipped) key = scramble(key ^ set(box, d).sum[0]) + 1;
    return key;
  }

  void build_indices() {
    indices_.assign(dimensions_, {});
    for (std::size_t d = 0; d < dimensions_; ++d) {
      auto& index = indices_[d];
      index.entries.reserve(boxes_.size());
      for (std::uint32_t i = 0; i < boxes_.size(); ++i) index.entries.push_back({key_without(boxes_[i], d), i});
      std::sort(index.entries.begin(), index.entries.end());
      index.next_alive.resize(boxes_.size() + 1);
      std::iota(index.next_alive.begin(), index.next_alive.end(), 0U);
    }
  }

  // First place at or after `place` whose box is still there; shortens the way for the next who asks.
  std::uint32_t alive_from(Index& index, std::uint32_t place) {
    std::uint32_t end = place;
    for (;;) {
      if (index.next_alive[end] != end)
        end = index.next_alive[end];
      else if (end < index.entries.size() && dead_[index.entries[end].position])
        index.next_alive[end] = end + 1;
      else
        break;
    }
    while (index.next_alive[place] != end && place != end) place = std::exchange(index.next_alive[place], end);
    return end;
  }

  // The first box after `last` that differs from box `i` in one dimension only, and that dimension.
  std::optional<std::pair<std::uint32_t, std::size_t>> next_joinable(std::uint32_t i, std::uint32_t last) {
    std::optional<std::pair<std::uint32_t, std::size_t>> best;
    for (std::size_t d = 0; d < dimensions_; ++d) {
      auto& index = indices_[d];
      const Entry after{key_without(boxes_[i], d), last + 1};
      auto place = static_cast<std::uint32_t>(std::lower_bound(index.entries.begin(), index.entries.end(), after) -
                                              index.entries.begin());
      for (place = alive_from(index, place); place < index.entries.size(); place = alive_from(index, place + 1)) {
        const auto& entry = index.entries[place];
        if (entry.key != after.key || (best && best->first < entry.position)) break;
        if (joinable(boxes_[i], boxes_[entry.position]) != d) continue;
        best = {entry.position, d};
        break;
      }
    }
    return best;
  }

  Box members_of(std::uint32_t box) {
    Box members(dimensions_);
    for (std::size_t d = 0; d < dimensions_; ++d) {
      std::vector<std::uint32_t> open{set(box, d).tree};
      while (!open.empty()) {
        const TreeNode node = nodes_[open.back()];
        open.pop_back();
        if (node.left == kNoNode) {
          members[d].push_back(node.right_or_coordinate);
        } else {
          open.push_back(node.left);
          open.push_back(node.right_or_coordinate);
        }
      }
      std::sort(members[d].begin(), members[d].end());
    }
    return members;
  }

  std::size_t dimensions_;
  const std::vector<std::vector<std::uint32_t>>& text_order_;
  std::vector<CoordinateSet> sets_;  // of all boxes, dimension by dimension
  std::vector<TreeNode> nodes_;
  std::vector<std::uint32_t> boxes_;  // those that are left, in order
  std::vector<Index> indices_;        // one a dimension
  std::vector<bool> dead_;            // by position in boxes_
};

}  // namespace

std::vector<Box> merge_points(const std::vector<Point>& points,
                              const std::vector<std::vector<std::uint32_t>>& text_order) {
  if (points.empty()) return {};
  return Merger(points, text_order).merge();
}

}  // namespace muster::inventory
