#include "backup/area_difference.h"

#include <unordered_set>

namespace muster::backup {
namespace {

using base::Context;

// The items of those leaves that the other listing does not have.
class OtherItems {
 public:
  OtherItems(const Context& ctx, ChunkReader& chunks, const AreaTree& tree, const std::vector<ChunkId>& leaves,
             const std::vector<ChunkId>& others)
      : ctx_(ctx), chunks_(chunks), domain_(tree.domain) {
    const std::unordered_set<ChunkId> known(others.begin(), others.end());
    for (const auto& leaf : leaves)
      if (!known.contains(leaf)) leaves_.push_back(leaf);
  }

  // The item at hand, with those of its pieces that are in these leaves.
  const std::optional<AreaItem>& peek() {
    if (item_ || ended_) return item_;
    while (const AreaItem* next = raw()) {
      if (!item_) {
        item_ = *next;  // or the rest of a file that began in a leaf of both
      } else if (next->continues && next->entry.path == item_->entry.path) {
        item_->pieces.insert(item_->pieces.end(), next->pieces.begin(), next->pieces.end());
      } else {
        return item_;
      }
      ++at_;
    }
    ended_ = true;
    return item_;
  }
  void advance() { item_.reset(); }

 private:
  const AreaItem* raw() {
    while (at_ == page_.items.size()) {
      if (leaf_ == leaves_.size()) return nullptr;
      ctx_.check_stop();
      page_ = read_area_page(ctx_, chunks_, domain_, leaves_[leaf_++]);
      at_ = 0;
    }
    return &page_.items[at_];
  }

  const Context& ctx_;
  ChunkReader& chunks_;
  const Domain domain_;
  std::vector<ChunkId> leaves_;
  std::size_t leaf_ = 0, at_ = 0;
  AreaPage page_;
  std::optional<AreaItem> item_;
  bool ended_ = false;
};

// When an inode changed, and which it is, is no difference that anybody restores.
bool same_metadata(AreaItem a, const AreaItem& b) {
  a.entry.changed = b.entry.changed;
  a.inode = b.inode;
  return a.entry == b.entry && a.continues == b.continues;
}

}  // namespace

void compare_areas(const Context& ctx, const Repository& repository, const Index& index, const AreaTree& from,
                   const AreaTree& to, const TakeAreaChange& take) {
  PackKeyCache keys(repository);
  ChunkReader chunks(repository, index, keys);
  const auto before = area_leaves(ctx, chunks, from), now = area_leaves(ctx, chunks, to);
  OtherItems old_items(ctx, chunks, from, before, now), new_items(ctx, chunks, to, now, before);
  while (old_items.peek() || new_items.peek()) {
    const auto& a = old_items.peek();
    const auto& b = new_items.peek();
    const int order = !a ? 1 : !b ? -1 : compare_paths(a->entry.path, b->entry.path);
    if (order < 0)
      take(a->continues ? AreaChange::content : AreaChange::removed, *a);
    else if (order > 0)
      take(b->continues ? AreaChange::content : AreaChange::added, *b);
    else if (a->pieces != b->pieces || a->entry.type != b->entry.type)
      take(AreaChange::content, *b);
    else if (!same_metadata(*a, *b))
      take(AreaChange::metadata, *b);
    if (order <= 0) old_items.advance();
    if (order >= 0) new_items.advance();
  }
}

}  // namespace muster::backup
