// What there is in the model of the protocol, and who is where: a state; how it is stored in a few words; and which
// states are the same but for who is called 0 and who 1. Knows no steps, only what of a state they can still tell
// apart. Nothing is shared between calls: any thread may call.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "tests/backup/protocol_model.h"

namespace muster::backup::model {

// Every name is used once, so each object that can ever be has a number, and a set is a mask.

constexpr unsigned kWriters = 2, kAttempts = 2, kPrunes = 3;
// Those who come when all others have stopped. They are not part of the states that are kept.
constexpr unsigned kLateWriter = kWriters, kLastPrune = kPrunes;

using Set = std::uint16_t;
using Small = std::uint8_t;

constexpr unsigned kOldPacks = 2, kPacks = kOldPacks + kWriters * kAttempts + 1 + kPrunes + 1;
constexpr unsigned kTables = 1 + kWriters * kAttempts + 1 + 2 * (kPrunes + 1);
constexpr unsigned kPoints = 1 + kWriters * kAttempts + 1;
constexpr unsigned kSentences = kPrunes + 1;
constexpr unsigned kChunks = 3;

constexpr unsigned written(unsigned writer, unsigned attempt) { return writer * kAttempts + attempt; }
constexpr unsigned pack_of(unsigned writer, unsigned attempt) { return kOldPacks + written(writer, attempt); }
constexpr unsigned copy_of(unsigned prune) { return kPacks - kSentences + prune; }
constexpr unsigned table_of(unsigned writer, unsigned attempt) { return 1 + written(writer, attempt); }
constexpr unsigned copy_table_of(unsigned prune) { return kTables - 2 * kSentences + prune; }
constexpr unsigned merged_of(unsigned prune) { return kTables - kSentences + prune; }
constexpr unsigned kParent = 0;
constexpr unsigned point_of(unsigned writer, unsigned attempt) { return 1 + written(writer, attempt); }

constexpr Set bit(unsigned number) { return static_cast<Set>(1U << number); }
constexpr bool has(unsigned set, unsigned number) { return (set >> number & 1U) != 0; }
// Of a set that is not empty.
inline unsigned lowest(unsigned set) { return static_cast<unsigned>(std::countr_zero(set)); }
inline void drop(Set& set, unsigned number) { set = static_cast<Set>(set & ~bit(number)); }
inline void drop(Small& set, unsigned number) { set = static_cast<Small>(set & ~bit(number)); }

enum class WriterAt : Small {
  begin,  // lists the sentences
  list_once_more,
  list_tables,
  list_packs,
  read_sentence,
  read_verdict,
  look_at_parent,
  put_pack,
  put_table,
  put_point,
  list_again,
  confirm,
  take_back,
  succeeded,
  gave_up
};

struct Writer {
  WriterAt at = WriterAt::begin;
  Small attempt = 0;
  bool inherits = false;                    // the parent was looked at, and was there
  bool settling = false;                    // the load is the one after the sentences had changed
  Small seen = 0, unread = 0, reading = 0;  // sentences
  Set doomed = 0, view = 0;                 // packs; view: those in tables
  Small relied = 0;                         // chunks
  bool listing = false;
  Set before = 0;  // what there was when a list began that is not of one moment
};

enum class PruneAt : Small {
  begin,  // lists the sentences
  read_old,
  read_old_verdict,
  acquit,
  look_for_dead,  // unconfirmed points
  reject,
  remove_rejected,
  list_points,
  list_tables,
  list_packs,
  put_copy,
  put_copy_table,
  put_sentence,
  list_points_again,
  list_sentences,
  read_sentence,
  read_verdict,
  list_tables_again,
  list_packs_again,
  put_verdict,
  read_own_verdict,
  list_merged,
  put_merged,
  remove_table,
  remove_pack,
  remove_sentence,
  remove_verdict,
  ended
};

struct Prune {
  PruneAt at = PruneAt::begin;
  Small old = 0, unread = 0, reading = 0;  // sentences; old: those to be removed
  Set mine = 0;                            // packs of the own sentence
  Set unsafe = 0;                          // packs that another sentence may take
  Set view = 0;                            // packs in tables
  Set going = 0;                           // packs condemned
  Set merged = 0;                          // tables to be removed
  Small needed = 0;                        // chunks
  Small copied = 0;                        // chunks
  Small target = 0;                        // points: the one at hand
  bool listing = false;
  Set before = 0;
};

struct State {
  Set packs = 0;
  std::array<Small, kPacks> content{};  // chunks
  Set tables = 0;
  std::array<Set, kSentences> merged{};  // packs in merged tables
  Small points = 0, confirmed = 0, rejected = 0;
  Small sentences = 0, verdicts = 0;
  Small acquitted = 0;                                   // sentences whose verdict somebody else gave
  std::array<Set, kSentences> sentenced{}, condemned{};  // packs
  std::array<Writer, kWriters + 1> writers{};
  std::array<Prune, kPrunes + 1> prunes{};
};

// What a field is, or what it is a set of.
enum class Of : Small { packs, tables, points, sentences, chunks, writer_at, prune_at, attempt, flag };

// What a step lists; sentences, too, where it lists nothing.
Of listed_at(WriterAt at);
Of listed_at(PruneAt at);

bool has_begun(const Prune& p);

// Where all begins: two packs in one table, and a parent that needs the first chunk.
State start(const Scenario& scenario);

constexpr std::size_t kMaxWords = 10;
using Words = std::array<std::uint64_t, kMaxWords>;

// The fields one after the other, each as so many bits; what is left of the words is 0. Returns the number of bits,
// which is one for all states of a scenario.
unsigned encode(const Scenario& scenario, const State& s, Words& words);
// `words`: at least as many as have these bits.
void decode(const Scenario& scenario, const std::uint64_t* words, State& s);

// Exchange two of them, wherever they and what is theirs are named.
void swap_writers(const Scenario& scenario, State& s);
void swap_prunes(const Scenario& scenario, State& s, unsigned a, unsigned b);

// Leaves out what nobody can make a difference by any more: packs that are gone, wherever they are named.
void tidy(const Scenario& scenario, State& s);
// Tidies, and calls them 0 and 1 by what they do: most states that differ in their names alone become one.
void order(const Scenario& scenario, State& s);

}  // namespace muster::backup::model
