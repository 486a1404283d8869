// The steps: of the user, who forgets; of a writer, from its list of sentences to its decision; of a prune, from the
// sentences of others to the removal of its own. Each function adds the states that one step of one process leads to.
#include "tests/backup/protocol_steps.h"

#include <bit>
#include <tuple>
#include <utility>

namespace muster::backup::model {
namespace {

Writer& writer_of(State& s, unsigned number) { return s.writers[number]; }
Prune& prune_of(State& s, unsigned number) { return s.prunes[number]; }
Kind kind_of(const Writer&) { return Kind::writer; }
Kind kind_of(const Prune&) { return Kind::prune; }

unsigned there(const State& s, Of kind) {
  if (kind == Of::packs) return s.packs;
  if (kind == Of::tables) return s.tables;
  return kind == Of::points ? s.points : s.sentences;
}

template <class Do>
void each(unsigned set, Do&& act) {
  for (; set != 0; set &= set - 1) act(lowest(set));
}

WriterAt next_of(const Writer& w) { return w.unread != 0 ? WriterAt::read_sentence : WriterAt::list_tables; }

}  // namespace

bool Steps::at_one_moment(Of kind) const {
  return scenario_.lists == Lists::all_of_one_moment ||
         (scenario_.lists == Lists::sentences_of_one_moment && kind == Of::sentences);
}

template <class Process, class Take>
void Steps::list(const State& s, Process& (*of)(State&, unsigned), unsigned n, Take&& take) {
  const Process& p = of(const_cast<State&>(s), n);
  const Of kind = listed_at(p.at);
  const unsigned now = there(s, kind);
  if (!at_one_moment(kind) && !p.listing) {
    Process& begun = of(add(s, {kind_of(p), n}, "begins to list", now, kind), n);
    begun.listing = true;
    begun.before = static_cast<Set>(now);
    return;
  }
  const unsigned before = p.listing ? p.before : now, sure = before & now;
  // Tables and points are read, and then are there: whoever misses one lists again, or passes over it.
  const unsigned maybe = (kind == Of::tables || kind == Of::points ? now : before | now) & ~sure;
  for (unsigned some = maybe;; some = (some - 1) & maybe) {
    State& next = add(s, {kind_of(p), n}, "lists", sure | some, kind);
    of(next, n).listing = false;
    of(next, n).before = 0;
    take(next, of(next, n), sure | some);
    if (some == 0) return;
  }
}

Small Steps::chunks_in(const State& s, unsigned packs) const {
  Small chunks = 0;
  for (unsigned left = packs; left != 0; left &= left - 1) chunks |= s.content[lowest(left)];
  return chunks;
}

Small Steps::chunks_of(unsigned points) const {
  if (points > bit(kParent)) return all_chunks();
  return points != 0 ? Small{1} : Small{0};
}

// Their contents never change, so what they had when they were listed is what a reader gets of them, or nothing.
Set Steps::packs_in(const State& s, unsigned tables) const {
  Set packs = has(tables, 0) ? Set{0b11} : Set{0};
  for (unsigned t = 1; t < copy_table_of(0); ++t)
    if (has(tables, t)) packs |= bit(kOldPacks + t - 1);
  for (unsigned p = 0; p < kSentences; ++p) {
    if (has(tables, copy_table_of(p))) packs |= bit(copy_of(p));
    if (has(tables, merged_of(p))) packs |= s.merged[p];
  }
  if (!departs(Departure::packs_named_by_content)) return packs;
  for (unsigned a = 0; a < kPacks; ++a)
    for (unsigned b = 0; b < kPacks; ++b)
      if (has(packs, a) && s.content[a] == s.content[b]) packs |= bit(b);
  return packs;
}

// Forgetting is one step: it holds from the put of the list, which is read before the points are listed.
void Steps::of_user(const State& s) {
  if (!has(s.points, kParent) || scenario_.parent == Scenario::Parent::kept) return;
  State& next = add(s, {}, "forgets the parent");
  drop(next.points, kParent);
  drop(next.confirmed, kParent);
}

// --- a writer

void Steps::start_over(Writer& w) const {
  const auto attempt = static_cast<Small>(w.attempt + 1);
  w = Writer{.at = attempt < scenario_.attempts ? WriterAt::begin : WriterAt::gave_up, .attempt = w.attempt};
  if (w.at == WriterAt::begin) w.attempt = attempt;
}

void Steps::after_parent(Writer& w) const {
  const unsigned have = w.relied | (w.inherits ? chunks_of(bit(kParent)) : 0U);
  w.relied = static_cast<Small>(have);
  const bool all = (all_chunks() & ~have) == 0;
  w.at = !all ? WriterAt::put_pack : departs(Departure::point_put_last) ? WriterAt::list_again : WriterAt::put_point;
}

void Steps::after_load(Writer& w) const {
  w.view = w.doomed = 0;
  if (w.settling) {
    w.at = w.relied == all_chunks() ? WriterAt::confirm : WriterAt::take_back;
    w.relied = 0;
    return;
  }
  if (w.attempt != 0 || departs(Departure::parent_looked_at_first)) return after_parent(w);
  w.at = WriterAt::look_at_parent;
}

void Steps::load_of_writer(const State& s, unsigned n) {
  switch (s.writers[n].at) {
    case WriterAt::begin:
      return list(s, writer_of, n, [&](State&, Writer& w, unsigned sentences) {
        w.seen = w.unread = static_cast<Small>(sentences);
        w.at = next_of(w);
        if (!at_one_moment(Of::sentences) && !w.settling && !departs(Departure::sentences_listed_once)) {
          w.unread = 0;
          w.at = WriterAt::list_once_more;
        }
      });
    case WriterAt::list_once_more:
      return list(s, writer_of, n, [&](State&, Writer& w, unsigned sentences) {
        const bool newer = (sentences & ~w.seen) != 0;
        w.seen = static_cast<Small>(sentences);
        if (newer) return;
        w.unread = w.seen;
        w.at = next_of(w);
      });
    case WriterAt::list_tables:
      return list(s, writer_of, n, [&](State&, Writer& w, unsigned tables) {
        w.view = packs_in(s, tables);
        w.at = WriterAt::list_packs;
      });
    default:
      return list(s, writer_of, n, [&](State&, Writer& w, unsigned packs) {
        w.relied = chunks_in(s, packs & w.view & ~w.doomed);
        after_load(w);
      });
  }
}

void Steps::read_of_writer(const State& s, unsigned n) {
  const Writer& old = s.writers[n];
  if (old.at == WriterAt::read_sentence)
    return each(old.unread, [&](unsigned x) {
      Writer& w = add_writer(s, n, "reads", bit(x), Of::sentences);
      w.at = WriterAt::read_verdict;
      w.reading = static_cast<Small>(bit(x));
      if (has(s.sentences, x)) return;
      w.reading = 0;
      drop(w.seen, x);
      drop(w.unread, x);
      w.at = next_of(w);
    });
  const unsigned x = lowest(old.reading);
  Writer& w = add_writer(s, n, "reads the verdict of", bit(x), Of::sentences);
  // The sentence was read before, and is what it was even if it is gone by now.
  w.doomed |= has(s.verdicts, x) ? s.condemned[x] : s.sentenced[x];
  w.reading = 0;
  drop(w.unread, x);
  w.at = next_of(w);
}

void Steps::take_in(const State& s, unsigned n) {
  const auto [at, attempt, missing] =
      std::tuple(s.writers[n].at, s.writers[n].attempt, static_cast<Small>(all_chunks() & ~s.writers[n].relied));
  if (at == WriterAt::look_at_parent) {
    Writer& w = add_writer(s, n, "looks for its parent");
    w.inherits = has(s.points, kParent);
    if (!departs(Departure::parent_looked_at_first)) return after_parent(w);
    w.at = WriterAt::begin;
  } else if (at == WriterAt::put_pack) {
    unsigned pack = pack_of(n, attempt);
    State& next = add(s, {Kind::writer, n}, "puts a pack with", missing, Of::chunks);
    next.content[pack] = missing;
    for (unsigned same = 0; same < pack && departs(Departure::packs_named_by_content); ++same)
      if (s.content[same] == missing) pack = same;
    next.packs |= bit(pack);
    next.writers[n].at = WriterAt::put_table;
  } else {
    State& next = add(s, {Kind::writer, n}, "puts an index table");
    next.tables |= bit(table_of(n, attempt));
    next.writers[n].relied = all_chunks();
    after_parent(next.writers[n]);
  }
}

void Steps::settle(const State& s, unsigned n) {
  const Writer& old = s.writers[n];
  const unsigned point = point_of(n, old.attempt);
  const bool last = departs(Departure::point_put_last);
  if (old.at == WriterAt::put_point) {
    State& next = add(s, {Kind::writer, n}, "puts its point", bit(point), Of::points);
    next.points |= static_cast<Small>(bit(point));
    Writer& w = next.writers[n];
    w.relied = 0;
    w.inherits = false;
    w.at = last || departs(Departure::sentences_not_compared) ? WriterAt::confirm : WriterAt::list_again;
    if (w.at == WriterAt::confirm) w.seen = 0;
  } else if (old.at == WriterAt::list_again) {
    list(s, writer_of, n, [&](State&, Writer& w, unsigned sentences) {
      const bool same = sentences == w.seen;
      if (!same && last) return start_over(w);
      w.at = !same ? WriterAt::begin : last ? WriterAt::put_point : WriterAt::confirm;
      w.settling = !same;
      w.seen = 0;
    });
  } else if (old.at == WriterAt::take_back) {
    State& next = add(s, {Kind::writer, n}, "takes its point back", bit(point), Of::points);
    drop(next.points, point);
    start_over(next.writers[n]);
  } else {
    const bool over = departs(Departure::confirmed_over_rejected);
    const bool rejected = has(s.rejected, point) && !over;
    State& next =
        add(s, {Kind::writer, n}, rejected ? "finds its point rejected" : "confirms its point", bit(point), Of::points);
    if (rejected) return start_over(next.writers[n]);
    next.confirmed |= static_cast<Small>(bit(point));
    drop(next.rejected, point);
    next.writers[n] = Writer{.at = WriterAt::succeeded, .attempt = old.attempt};
  }
}

void Steps::of_writer(const State& s, unsigned n) {
  const WriterAt at = s.writers[n].at;
  if (at == WriterAt::succeeded || at == WriterAt::gave_up) return;
  if (at == WriterAt::read_sentence || at == WriterAt::read_verdict) return read_of_writer(s, n);
  if (at <= WriterAt::list_packs) return load_of_writer(s, n);
  if (at <= WriterAt::put_table) return take_in(s, n);
  settle(s, n);
}

// --- a prune

void Steps::begin_prune(const State& s, unsigned n) {
  unsigned alive = 0;
  for (unsigned p = 0; p < scenario_.prunes; ++p)
    if (has_begun(s.prunes[p]) && s.prunes[p].at != PruneAt::ended) alive |= 1U << p;
  // Who begins first is called so.
  if (n != kLastPrune && n > 0 && !has_begun(s.prunes[n - 1])) return;
  const auto take = [](State&, Prune& p, unsigned sentences) {
    p.unread = static_cast<Small>(sentences);
    p.at = sentences != 0 ? PruneAt::read_old : PruneAt::look_for_dead;
  };
  if (s.prunes[n].listing || static_cast<unsigned>(std::popcount(alive)) < scenario_.alive_at_once)
    return list(s, prune_of, n, take);
  for (; alive != 0; alive &= alive - 1) {
    State without = s;
    without.prunes[lowest(alive)] = Prune{.at = PruneAt::ended};
    list(without, prune_of, n, take);
  }
}

void Steps::judge_old(const State& s, unsigned n) {
  const PruneAt at = s.prunes[n].at;
  const auto done = [](Prune& p, unsigned x) {
    drop(p.unread, x);
    p.reading = 0;
    p.at = p.unread != 0 ? PruneAt::read_old : PruneAt::look_for_dead;
  };
  if (at == PruneAt::read_old)
    return each(s.prunes[n].unread, [&](unsigned x) {
      Prune& p = add_prune(s, n, "reads", bit(x), Of::sentences);
      p.reading = static_cast<Small>(bit(x));
      p.at = PruneAt::read_old_verdict;
      if (!has(s.sentences, x)) done(p, x);
    });
  const unsigned x = lowest(s.prunes[n].reading);
  if (at == PruneAt::read_old_verdict && has(s.verdicts, x)) {
    Prune& p = add_prune(s, n, "reads the verdict of", bit(x), Of::sentences);
    p.going |= s.condemned[x];
    p.unsafe |= s.condemned[x];
    p.old |= static_cast<Small>(bit(x));
    done(p, x);
  } else if (at == PruneAt::read_old_verdict) {
    // Whether its prune is alive, a lease says, which may be wrong.
    add_prune(s, n, "finds the prune dead that put", bit(x), Of::sentences).at = PruneAt::acquit;
    Prune& p = add_prune(s, n, "finds the prune alive that put", bit(x), Of::sentences);
    p.unsafe |= s.sentenced[x];
    done(p, x);
  } else if (has(s.verdicts, x) && !departs(Departure::verdict_replaced)) {
    add_prune(s, n, "does not acquit, as there is a verdict of", bit(x), Of::sentences).at = PruneAt::read_old_verdict;
  } else {
    State& next = add(s, {Kind::prune, n}, "acquits", bit(x), Of::sentences);
    next.verdicts |= static_cast<Small>(bit(x));
    next.acquitted |= static_cast<Small>(bit(x));
    next.condemned[x] = 0;
    next.prunes[n].old |= static_cast<Small>(bit(x));
    done(next.prunes[n], x);
  }
}

void Steps::reject_dead(const State& s, unsigned n) {
  const PruneAt at = s.prunes[n].at;
  const Small target = s.prunes[n].target;
  if (at == PruneAt::look_for_dead) {
    for (unsigned left = s.points & ~s.confirmed; left != 0; left &= left - 1) {
      const Small point = static_cast<Small>(bit(lowest(left)));
      Prune& p = add_prune(s, n, "finds the writer dead of", point, Of::points);
      p.target = point;
      p.at = (s.rejected & point) != 0 ? PruneAt::remove_rejected : PruneAt::reject;
    }
    add_prune(s, n, "is done with dead writers").at = PruneAt::list_points;
    return;
  }
  State& next = add(s, {Kind::prune, n}, at == PruneAt::reject ? "rejects, if it can," : "removes", target, Of::points);
  Prune& p = next.prunes[n];
  if (at == PruneAt::reject && (s.confirmed & target) != 0 && !departs(Departure::rejected_over_confirmed)) {
    p.target = 0;
    p.at = PruneAt::look_for_dead;
  } else if (at == PruneAt::reject) {
    next.rejected |= target;
    next.confirmed &= static_cast<Small>(~target);
    p.at = PruneAt::remove_rejected;
  } else {
    next.points &= static_cast<Small>(~target);
    if (departs(Departure::rejection_removed)) next.rejected &= static_cast<Small>(~target);
    p.target = 0;
    p.at = PruneAt::look_for_dead;
  }
}

void Steps::choose(const State& s, unsigned n) {
  if (s.prunes[n].at == PruneAt::list_points)
    return list(s, prune_of, n, [&](State&, Prune& p, unsigned points) {
      p.needed = chunks_of(points & ~s.rejected);
      p.at = PruneAt::list_tables;
    });
  if (s.prunes[n].at == PruneAt::list_tables)
    return list(s, prune_of, n, [&](State&, Prune& p, unsigned tables) {
      p.view = packs_in(s, tables);
      p.at = PruneAt::list_packs;
    });
  std::vector<std::pair<State, unsigned>> found;
  list(s, prune_of, n, [&](State& next, Prune&, unsigned packs) { found.emplace_back(next, packs); });
  out_.resize(out_.size() - found.size());
  for (const auto& [next, packs] : found) choose_packs(next, n, packs);
}

void Steps::choose_packs(const State& s, unsigned n, unsigned packs) {
  const Prune& old = s.prunes[n];
  Set unneeded = 0, partly = 0;
  for (unsigned left = packs & ~old.unsafe; left != 0; left &= left - 1) {
    const unsigned pack = lowest(left), live = has(old.view, pack) ? s.content[pack] & old.needed : 0U;
    if (live == 0) unneeded |= bit(pack);
    if (live != 0 && live != s.content[pack] && scenario_.repack == Scenario::Repack::any) partly |= bit(pack);
  }
  for (unsigned repacked = partly;; repacked = (repacked - 1) & partly) {
    Prune& p = add_prune(s, n, "lists packs; repacks", repacked, Of::packs);
    p.mine = static_cast<Set>(unneeded | repacked);
    p.copied = chunks_in(s, repacked) & old.needed;
    p.view = p.unsafe = 0;
    if (departs(Departure::only_points_of_now)) p.needed = 0;
    p.at = p.copied != 0 ? PruneAt::put_copy : PruneAt::put_sentence;
    // Then it removes no sentences either: who compares lists of them has to find one that is new.
    if (p.mine == 0) p = Prune{.at = p.going != 0 ? PruneAt::list_merged : PruneAt::ended, .going = p.going};
    if (repacked == 0) return;
  }
}

void Steps::put_sentence(const State& s, unsigned n) {
  const Prune& old = s.prunes[n];
  if (old.at == PruneAt::put_copy) {
    State& next = add(s, {Kind::prune, n}, "puts a pack with copies of", old.copied, Of::chunks);
    next.packs |= bit(copy_of(n));
    next.content[copy_of(n)] = old.copied;
    next.prunes[n].copied = 0;
    next.prunes[n].at = PruneAt::put_copy_table;
  } else if (old.at == PruneAt::put_copy_table) {
    State& next = add(s, {Kind::prune, n}, "puts an index table");
    next.tables |= bit(copy_table_of(n));
    next.prunes[n].at = PruneAt::put_sentence;
  } else {
    State& next = add(s, {Kind::prune, n}, "puts a sentence of", old.mine, Of::packs);
    next.sentences |= static_cast<Small>(bit(n));
    next.sentenced[n] = old.mine;
    Prune& p = next.prunes[n];
    p.at = departs(Departure::points_listed_once) ? PruneAt::list_sentences : PruneAt::list_points_again;
  }
}

// The packs of the own sentence that hold nothing needed but what has a copy that stays.
Set Steps::condemn(const State& s, const Prune& p) const {
  Set condemned = p.mine;
  for (unsigned c = 0; c < scenario_.chunks; ++c) {
    Set holding = 0;
    for (unsigned pack = 0; pack < kPacks; ++pack)
      if (has(p.view, pack) && has(s.content[pack], c)) holding |= bit(pack);
    if (!has(p.needed, c) || (holding & ~(p.mine | p.unsafe)) != 0) continue;
    // Without a copy that then stays, it is in a pack that no table names yet, or on its way out with its point.
    if ((holding & p.mine & ~p.unsafe) == 0 && !departs(Departure::missing_chunks_passed_over)) return 0;
    condemned &= static_cast<Set>(~(holding & ~p.unsafe));
  }
  return condemned;
}

void Steps::look_again(const State& s, unsigned n) {
  const auto next_sentence = [](Prune& p) {
    p.at = p.unread != 0 ? PruneAt::read_sentence : PruneAt::list_tables_again;
  };
  switch (s.prunes[n].at) {
    case PruneAt::list_points_again:
      return list(s, prune_of, n, [&](State&, Prune& p, unsigned points) {
        p.needed |= chunks_of(points & ~s.rejected);
        // Its writer may be listing sentences, and shall not miss one because it goes.
        if ((points & ~s.confirmed & ~s.rejected) != 0 && !departs(Departure::removal_beside_unconfirmed)) p.old = 0;
        p.at = PruneAt::list_sentences;
      });
    case PruneAt::list_sentences:
      return list(s, prune_of, n, [&](State&, Prune& p, unsigned sentences) {
        p.unread = static_cast<Small>(sentences & ~bit(n));
        next_sentence(p);
      });
    case PruneAt::read_sentence:
      return each(s.prunes[n].unread, [&](unsigned x) {
        Prune& p = add_prune(s, n, "reads", bit(x), Of::sentences);
        p.reading = static_cast<Small>(bit(x));
        p.at = PruneAt::read_verdict;
        if (has(s.sentences, x)) return;
        p.reading = 0;
        drop(p.unread, x);
        next_sentence(p);
      });
    case PruneAt::read_verdict: {
      const unsigned x = lowest(s.prunes[n].reading);
      Prune& p = add_prune(s, n, "reads the verdict of", bit(x), Of::sentences);
      const Set undecided = departs(Departure::undecided_not_counted) ? Set{0} : s.sentenced[x];
      p.unsafe |= has(s.verdicts, x) ? s.condemned[x] : undecided;
      p.reading = 0;
      drop(p.unread, x);
      return next_sentence(p);
    }
    case PruneAt::list_tables_again:
      return list(s, prune_of, n, [&](State&, Prune& p, unsigned tables) {
        p.view = packs_in(s, tables);
        p.at = PruneAt::list_packs_again;
      });
    default:
      return list(s, prune_of, n, [&](State&, Prune& p, unsigned packs) {
        p.view &= static_cast<Set>(packs);
        p.mine = condemn(s, p);
        p.unsafe = p.view = 0;
        p.needed = 0;
        p.at = PruneAt::put_verdict;
      });
  }
}

void Steps::after_verdict(Prune& p) const {
  p.mine = 0;
  p.at = p.going != 0 ? PruneAt::list_merged : PruneAt::remove_sentence;
}

void Steps::give_verdict(const State& s, unsigned n) {
  const Prune& old = s.prunes[n];
  if (old.at == PruneAt::read_own_verdict) {
    Prune& p = add_prune(s, n, "reads the verdict of its own sentence");
    if (has(s.verdicts, n)) p.going |= s.condemned[n];
    after_verdict(p);
  } else if (has(s.verdicts, n) && !departs(Departure::verdict_replaced)) {
    add_prune(s, n, "finds that somebody else judged").at = PruneAt::read_own_verdict;
  } else {
    State& next = add(s, {Kind::prune, n}, "condemns", old.mine, Of::packs);
    next.verdicts |= static_cast<Small>(bit(n));
    drop(next.acquitted, n);
    next.condemned[n] = old.mine;
    next.prunes[n].going |= old.mine;
    after_verdict(next.prunes[n]);
  }
  Prune& p = out_.back().state.prunes[n];
  if (p.at == PruneAt::remove_sentence) after_removals(p);
}

void Steps::after_removals(Prune& p) const {
  p.at = departs(Departure::verdict_removed_first) ? PruneAt::remove_verdict : PruneAt::remove_sentence;
  if (p.old == 0) p = Prune{.at = PruneAt::ended};
}

void Steps::carry_out(const State& s, unsigned n) {
  const bool merged_last = departs(Departure::tables_removed_first);
  const Prune& old = s.prunes[n];
  if (old.at == PruneAt::list_merged)
    return list(s, prune_of, n, [&](State& next, Prune& p, unsigned tables) {
      next.merged[n] = static_cast<Set>(packs_in(s, tables) & ~p.going);
      p.merged = static_cast<Set>(tables);
      p.at = tables == 0 ? PruneAt::remove_pack : merged_last ? PruneAt::remove_table : PruneAt::put_merged;
    });
  if (old.at == PruneAt::put_merged) {
    State& next = add(s, {Kind::prune, n}, "puts a table without what goes");
    next.tables |= bit(merged_of(n));
    next.prunes[n].at = merged_last ? PruneAt::remove_pack : PruneAt::remove_table;
  } else if (old.at == PruneAt::remove_table) {
    const auto remove = [&](unsigned tables) {
      State& next = add(s, {Kind::prune, n}, "removes", tables, Of::tables);
      next.tables &= static_cast<Set>(~tables);
      Prune& p = next.prunes[n];
      p.merged &= static_cast<Set>(~tables);
      if (p.merged == 0) p.at = merged_last ? PruneAt::put_merged : PruneAt::remove_pack;
    };
    if (scenario_.tables == Scenario::Tables::removed_at_once) return remove(old.merged);
    each(old.merged, [&](unsigned table) { remove(bit(table)); });
  } else {
    each(old.going, [&](unsigned pack) {
      State& next = add(s, {Kind::prune, n}, "removes", bit(pack), Of::packs);
      drop(next.packs, pack);
      Prune& p = next.prunes[n];
      drop(p.going, pack);
      if (p.going != 0) return;
      if (departs(Departure::sentence_removed_at_once)) p.old |= static_cast<Small>(bit(n));
      after_removals(p);
    });
  }
}

void Steps::remove_old(const State& s, unsigned n) {
  const bool sentence = s.prunes[n].at == PruneAt::remove_sentence;
  const bool verdict_first = departs(Departure::verdict_removed_first);
  const Prune& old = s.prunes[n];
  each(old.reading != 0 ? old.reading : old.old, [&](unsigned x) {
    State& next = add(s, {Kind::prune, n}, sentence ? "removes" : "removes the verdict of", bit(x), Of::sentences);
    Prune& p = next.prunes[n];
    drop(sentence ? next.sentences : next.verdicts, x);
    // Its own prune may be about to judge it, by what it saw long ago: it shall find that it was acquitted.
    const bool verdict_stays = has(s.acquitted, x) && !departs(Departure::acquittal_removed);
    if (!sentence) {
      next.condemned[x] = 0;
      drop(next.acquitted, x);
    }
    p.reading = static_cast<Small>(bit(x));
    if (sentence && !verdict_first && !verdict_stays) {
      p.at = PruneAt::remove_verdict;
    } else if (!sentence && verdict_first) {
      p.at = PruneAt::remove_sentence;
    } else {
      p.reading = 0;
      drop(p.old, x);
      after_removals(p);
    }
  });
}

void Steps::of_prune(const State& s, unsigned n) {
  const PruneAt at = s.prunes[n].at;
  if (at == PruneAt::ended) return;
  if (at == PruneAt::begin) return begin_prune(s, n);
  if (at <= PruneAt::acquit) return judge_old(s, n);
  if (at <= PruneAt::remove_rejected) return reject_dead(s, n);
  if (at <= PruneAt::list_packs) return choose(s, n);
  if (at <= PruneAt::put_sentence) return put_sentence(s, n);
  if (at <= PruneAt::list_packs_again) return look_again(s, n);
  if (at <= PruneAt::read_own_verdict) return give_verdict(s, n);
  if (at <= PruneAt::remove_pack) return carry_out(s, n);
  remove_old(s, n);
}

}  // namespace muster::backup::model
