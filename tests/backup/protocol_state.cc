// The fields of a state as bits, and what becomes of them when two exchange names. Both go through each_field(), which
// alone tells the fields that a scenario needs: what it leaves out is not part of the states that are kept.
#include "tests/backup/protocol_state.h"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace muster::backup::model {
namespace {

constexpr std::array<unsigned, 9> kBits = {kPacks, kTables, kPoints, kSentences, kChunks, 4, 5, 1, 1};

template <class Visit>
void each_field(const Scenario& scenario, State& s, Visit&& visit) {
  const bool weak = scenario.lists != Lists::all_of_one_moment;
  visit(s.packs, Of::packs);
  visit(s.tables, Of::tables);
  visit(s.points, Of::points);
  visit(s.confirmed, Of::points);
  visit(s.rejected, Of::points);
  visit(s.sentences, Of::sentences);
  visit(s.verdicts, Of::sentences);
  visit(s.acquitted, Of::sentences);
  for (unsigned w = 0; w < scenario.writers; ++w) {
    for (unsigned a = 0; a < scenario.attempts; ++a) visit(s.content[pack_of(w, a)], Of::chunks);
    Writer& writer = s.writers[w];
    visit(writer.at, Of::writer_at);
    visit(writer.attempt, Of::attempt);
    visit(writer.inherits, Of::flag);
    visit(writer.settling, Of::flag);
    visit(writer.seen, Of::sentences);
    visit(writer.unread, Of::sentences);
    visit(writer.reading, Of::sentences);
    visit(writer.doomed, Of::packs);
    visit(writer.view, Of::packs);
    visit(writer.relied, Of::chunks);
    if (weak) visit(writer.listing, Of::flag);
    if (weak) visit(writer.before, listed_at(writer.at), true);
  }
  for (unsigned p = 0; p < scenario.prunes; ++p) {
    visit(s.content[copy_of(p)], Of::chunks);
    visit(s.merged[p], Of::packs);
    visit(s.sentenced[p], Of::packs);
    visit(s.condemned[p], Of::packs);
    Prune& prune = s.prunes[p];
    visit(prune.at, Of::prune_at);
    visit(prune.old, Of::sentences);
    visit(prune.unread, Of::sentences);
    visit(prune.reading, Of::sentences);
    visit(prune.mine, Of::packs);
    visit(prune.unsafe, Of::packs);
    visit(prune.view, Of::packs);
    visit(prune.going, Of::packs);
    visit(prune.merged, Of::tables);
    visit(prune.needed, Of::chunks);
    visit(prune.copied, Of::chunks);
    visit(prune.target, Of::points);
    if (weak) visit(prune.listing, Of::flag);
    if (weak) visit(prune.before, listed_at(prune.at), true);
  }
}

template <class T>
void swap_bits(T& set, unsigned a, unsigned b) {
  const unsigned x = (set >> a ^ set >> b) & 1U;
  set = static_cast<T>(set ^ (x << a | x << b));
}

template <class SwapBits>
void swap_in_sets(const Scenario& scenario, State& s, SwapBits&& swap) {
  each_field(scenario, s, [&](auto& field, Of kind, bool = false) {
    using T = std::remove_reference_t<decltype(field)>;
    if constexpr (std::is_same_v<T, Set> || std::is_same_v<T, Small>) swap(field, kind);
  });
}

// By what does not change with who is who.
unsigned rank(const State& s, unsigned writer) {
  const Writer& w = s.writers[writer];
  unsigned key = static_cast<unsigned>(w.at) << 1 | w.attempt;
  key = key << 2 | static_cast<unsigned>(w.inherits) << 1 | static_cast<unsigned>(w.settling);
  key = key << 3 | w.relied;
  key = key << 3 | s.content[pack_of(writer, 0)];
  key = key << 3 | static_cast<unsigned>(std::popcount(w.seen));
  return key << 4 | static_cast<unsigned>(std::popcount(w.view));
}
unsigned rank_of_prune(const State& s, unsigned prune) {
  const Prune& p = s.prunes[prune];
  unsigned key = !has_begun(p) ? 31 : static_cast<unsigned>(p.at);  // the last ones begin last
  key = key << 3 | p.needed;
  key = key << 3 | static_cast<unsigned>(std::popcount(p.old));
  key = key << 4 | static_cast<unsigned>(std::popcount(p.mine));
  key = key << 4 | static_cast<unsigned>(std::popcount(p.going));
  key = key << 1 | static_cast<unsigned>(has(s.sentences, prune));
  key = key << 1 | static_cast<unsigned>(has(s.verdicts, prune));
  key = key << 4 | static_cast<unsigned>(std::popcount(s.condemned[prune]));
  return key << 4 | static_cast<unsigned>(std::popcount(s.sentenced[prune]));
}

}  // namespace

Of listed_at(WriterAt at) {
  if (at == WriterAt::list_tables) return Of::tables;
  return at == WriterAt::list_packs ? Of::packs : Of::sentences;
}
Of listed_at(PruneAt at) {
  switch (at) {
    case PruneAt::list_points:
    case PruneAt::list_points_again:
      return Of::points;
    case PruneAt::list_tables:
    case PruneAt::list_tables_again:
    case PruneAt::list_merged:
      return Of::tables;
    case PruneAt::list_packs:
    case PruneAt::list_packs_again:
      return Of::packs;
    default:
      return Of::sentences;
  }
}

bool has_begun(const Prune& p) { return p.at != PruneAt::begin || p.listing; }

State start(const Scenario& scenario) {
  State s;
  s.packs = 0b11;
  s.content[0] = 0b011;
  s.content[1] = scenario.chunks == 3 ? 0b100 : 0b010;
  s.tables = bit(0);
  s.points = s.confirmed = bit(kParent);
  if (scenario.parent == Scenario::Parent::none) s.points = s.confirmed = 0;
  if (scenario.departure == Departure::parent_looked_at_first)
    for (auto& writer : s.writers) writer.at = WriterAt::look_at_parent;
  return s;
}

unsigned encode(const Scenario& scenario, const State& s, Words& words) {
  words = {};
  unsigned at = 0;
  each_field(scenario, const_cast<State&>(s), [&](const auto& field, Of kind, bool widest = false) {
    const unsigned bits = widest ? kTables : kBits[static_cast<unsigned>(kind)];
    const std::uint64_t value = static_cast<std::uint64_t>(field);
    words[at / 64] |= value << (at % 64);
    if (at % 64 + bits > 64) words[at / 64 + 1] |= value >> (64 - at % 64);
    at += bits;
  });
  return at;
}

void decode(const Scenario& scenario, const std::uint64_t* words, State& s) {
  s = start(scenario);
  unsigned at = 0;
  each_field(scenario, s, [&](auto& field, Of kind, bool widest = false) {
    const unsigned bits = widest ? kTables : kBits[static_cast<unsigned>(kind)];
    std::uint64_t value = words[at / 64] >> (at % 64);
    if (at % 64 + bits > 64) value |= words[at / 64 + 1] << (64 - at % 64);
    field = static_cast<std::remove_reference_t<decltype(field)>>(value & ((1U << bits) - 1));
    at += bits;
  });
}

// --- symmetry: who is called 0 and who 1 makes no difference

void swap_writers(const Scenario& scenario, State& s) {
  swap_in_sets(scenario, s, [](auto& set, Of kind) {
    for (unsigned a = 0; a < kAttempts; ++a) {
      if (kind == Of::packs) swap_bits(set, pack_of(0, a), pack_of(1, a));
      if (kind == Of::tables) swap_bits(set, table_of(0, a), table_of(1, a));
      if (kind == Of::points) swap_bits(set, point_of(0, a), point_of(1, a));
    }
  });
  for (unsigned a = 0; a < kAttempts; ++a) std::swap(s.content[pack_of(0, a)], s.content[pack_of(1, a)]);
  std::swap(s.writers[0], s.writers[1]);
}

void swap_prunes(const Scenario& scenario, State& s, unsigned a, unsigned b) {
  swap_in_sets(scenario, s, [&](auto& set, Of kind) {
    if (kind == Of::packs) swap_bits(set, copy_of(a), copy_of(b));
    if (kind == Of::tables) swap_bits(set, copy_table_of(a), copy_table_of(b));
    if (kind == Of::tables) swap_bits(set, merged_of(a), merged_of(b));
    if (kind == Of::sentences) swap_bits(set, a, b);
  });
  std::swap(s.content[copy_of(a)], s.content[copy_of(b)]);
  std::swap(s.merged[a], s.merged[b]);
  std::swap(s.sentenced[a], s.sentenced[b]);
  std::swap(s.condemned[a], s.condemned[b]);
  std::swap(s.prunes[a], s.prunes[b]);
}

void tidy(const Scenario& scenario, State& s) {
  if (scenario.lists != Lists::all_of_one_moment || scenario.departure == Departure::packs_named_by_content) return;
  const Set packs = s.packs;
  for (unsigned n = 0; n < scenario.writers; ++n) {
    s.writers[n].doomed &= packs;
    s.writers[n].view &= packs;
    for (unsigned a = 0; a < scenario.attempts; ++a)
      if (!has(packs, pack_of(n, a))) {
        s.content[pack_of(n, a)] = 0;
        drop(s.tables, table_of(n, a));
      }
  }
  for (unsigned n = 0; n < scenario.prunes; ++n) {
    s.merged[n] &= packs;
    s.sentenced[n] &= packs;
    s.prunes[n].view &= packs;
    s.prunes[n].unsafe &= packs;
    if (s.prunes[n].at < PruneAt::list_points_again) s.prunes[n].mine &= packs;
    if (s.prunes[n].at != PruneAt::put_merged && s.merged[n] == 0) drop(s.tables, merged_of(n));
    if (!has(s.tables, merged_of(n)) && s.prunes[n].at != PruneAt::put_merged &&
        s.prunes[n].at != PruneAt::remove_table)
      s.merged[n] = 0;
    if (has(packs, copy_of(n))) continue;
    s.content[copy_of(n)] = 0;
    drop(s.tables, copy_table_of(n));
  }
  if ((packs & 0b11) == 0) drop(s.tables, 0);
}

void order(const Scenario& scenario, State& s) {
  tidy(scenario, s);
  if (scenario.writers == 2 && rank(s, 1) < rank(s, 0)) swap_writers(scenario, s);
  for (unsigned sorted = 0; sorted + 1 < scenario.prunes; ++sorted)
    for (unsigned p = 0; p + 1 < scenario.prunes; ++p)
      if (rank_of_prune(s, p + 1) < rank_of_prune(s, p)) swap_prunes(scenario, s, p, p + 1);
}

}  // namespace muster::backup::model
