#include "backup/index_merge.h"

#include <algorithm>
#include <map>
#include <optional>
#include <queue>
#include <tuple>

#include "backup/object_names.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Context;

constexpr std::uint64_t kOutputEntries = 512U << 10;
// Tables of sessions are small; so many of them cost every reader more than one merge.
constexpr std::uint64_t kSmallEntries = 64U << 10;
constexpr std::size_t kManySmall = 16;

// An entry with its pack itself instead of a number.
struct Named {
  RecordPlace place;
  ObjectId pack;
};

bool before(const Named& a, const Named& b) {
  return std::tie(a.place.id, a.pack, a.place.offset) < std::tie(b.place.id, b.pack, b.place.offset);
}

class Merge {
 public:
  // `witness`: that of all `tables`.
  Merge(const Context& ctx, const Repository& repository, std::vector<IndexTable> tables, const Witness& witness,
        const std::set<ObjectId>& gone)
      : ctx_(ctx), repository_(repository), witness_(witness), gone_(gone) {
    for (auto& table : tables) {
      inputs_.emplace_back(std::move(table));
      // What is damaged must not get a new, good checksum.
      inputs_.back().table.each(ctx, repository.storage(), [](const IndexEntry&) {});
    }
  }

  void run() {
    for (std::size_t i = 0; i < inputs_.size(); ++i) advance(i);
    while (!heads_.empty()) {
      const auto [head, input] = heads_.top();
      heads_.pop();
      take(head);
      advance(input);
    }
    put();
  }

 private:
  struct Input {
    explicit Input(IndexTable t) : table(std::move(t)) {}
    IndexTable table;
    std::vector<IndexEntry> block;
    std::uint64_t next_block = 0;
    std::size_t at = 0;
  };
  using Head = std::pair<Named, std::size_t>;
  struct Later {
    bool operator()(const Head& a, const Head& b) const { return before(b.first, a.first); }
  };

  // The next entry of that input that stays, among the heads.
  void advance(std::size_t number) {
    Input& input = inputs_[number];
    for (;;) {
      if (input.at == input.block.size()) {
        if (input.next_block == input.table.blocks()) return;
        input.block = input.table.block(ctx_, repository_.storage(), input.next_block++);
        input.at = 0;
      }
      const IndexEntry& entry = input.block[input.at++];
      const ObjectId& pack = input.table.packs()[entry.pack];
      if (gone_.contains(pack)) continue;
      return heads_.push({{entry.place, pack}, number});
    }
  }

  void take(const Named& entry) {
    if (last_ && !before(*last_, entry)) return;  // the same again, out of another table
    last_ = entry;
    const auto [known, fresh] = numbers_.try_emplace(entry.pack, static_cast<std::uint32_t>(packs_.size()));
    if (fresh) packs_.push_back(entry.pack);
    entries_.push_back({entry.place, known->second});
    if (entries_.size() == kOutputEntries) put();
  }

  void put() {
    if (entries_.empty()) return;
    ctx_.check_stop();
    auto builder = build_index_table(std::move(packs_), std::move(entries_));
    put_index_table(ctx_, repository_, builder, witness_);
    packs_.clear();
    entries_.clear();
    numbers_.clear();
  }

  const Context& ctx_;
  const Repository& repository_;
  const Witness witness_;
  const std::set<ObjectId>& gone_;
  std::vector<Input> inputs_;
  std::priority_queue<Head, std::vector<Head>, Later> heads_;
  std::optional<Named> last_;
  std::vector<ObjectId> packs_;
  std::map<ObjectId, std::uint32_t> numbers_;
  std::vector<IndexEntry> entries_;
};

}  // namespace

void replace_tables(const Context& ctx, const Repository& repository, const std::vector<ObjectId>& tables,
                    const std::set<ObjectId>& gone) {
  if (tables.empty()) return;
  // What hosts say stays their own word.
  std::map<Witness, std::vector<IndexTable>> by_witness;
  for (const auto& id : tables) {
    IndexTable table = open_index_table(ctx, repository, id);
    const Witness witness = witness_of(ctx, repository, table);
    by_witness[witness].push_back(std::move(table));
  }
  for (auto& [witness, inputs] : by_witness) Merge(ctx, repository, std::move(inputs), witness, gone).run();
  for (const auto& id : tables) repository.storage().remove(ctx, object_name(kIndexPrefix, id));
}

std::vector<ObjectId> tables_to_replace(const Context& ctx, const Repository& repository,
                                        const std::set<ObjectId>& packs) {
  std::vector<ObjectId> naming, small;
  for (const auto& id : list_index_tables(ctx, repository.storage())) {
    try {
      const IndexTable table = open_index_table(ctx, repository, id);
      const auto& named = table.packs();
      if (std::any_of(named.begin(), named.end(), [&](const ObjectId& pack) { return packs.contains(pack); }))
        naming.push_back(id);
      else if (table.size() < kSmallEntries)
        small.push_back(id);
    } catch (const base::Error& e) {
      if (e.code() != base::Code::not_found) throw;  // another prune replaced it
    }
  }
  if (small.size() >= kManySmall) naming.insert(naming.end(), small.begin(), small.end());
  return naming;
}

}  // namespace muster::backup
