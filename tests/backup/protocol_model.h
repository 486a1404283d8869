// A model of how writers and prunes share a repository (muster-repository(7), "Writing" and "Letting go"), small enough
// for every interleaving of their storage operations to be tried. It has none of the code of backup/ in it, but what
// that code may rely on. Who is killed never goes on; who is suspended goes on at any later time. One call is one
// thread's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace muster::backup::model {

// One rule of the protocol that is not kept: explore() has to find what is lost by that.
enum class Departure : std::uint8_t {
  none,
  // Of writers.
  sentences_not_compared,   // a point is confirmed without listing the sentences again
  point_put_last,           // after they were listed again
  parent_looked_at_first,   // before the sentences are listed
  sentences_listed_once,    // at first, by a list that may have the later of two and lack the earlier
  confirmed_over_rejected,  // putting a decision replaces what was decided
  packs_named_by_content,   // a pack that was let go can come back under its name
  // Of prunes.
  rejected_over_confirmed,     // likewise
  rejection_removed,           // the decision goes with the point that was rejected
  points_listed_once,          // not again after the sentence is put
  verdict_replaced,            // a later verdict replaces an earlier one
  verdict_removed_first,       // before its sentence
  acquittal_removed,           // though the prune that put the sentence may still judge it
  sentence_removed_at_once,    // by the run that put it
  undecided_not_counted,       // packs of others' sentences without a verdict count as copies that stay
  removal_beside_unconfirmed,  // sentences go while a point is unconfirmed, whose writer may be listing them
  only_points_of_now,          // a chunk that was needed before the sentence, and is no more, is not spared
  tables_removed_first,        // before the merged one is put
  missing_chunks_passed_over,  // a needed chunk without a copy that stays does not stop a verdict
};

// Which lists are of one moment; others may lack what is put or removed meanwhile.
enum class Lists : std::uint8_t { all_of_one_moment, sentences_of_one_moment, none_of_one_moment };

struct Scenario {
  unsigned writers = 2;        // at most 2, who want the same chunks
  unsigned attempts = 1;       // of each, at most 2: the first with a parent
  unsigned prunes = 1;         // runs, at most 3
  unsigned alive_at_once = 1;  // of these; one more ends another, at whatever step that is
  unsigned chunks = 2;         // at most 3
  enum class Parent : std::uint8_t { none, kept, forgotten_at_any_time } parent = Parent::forgotten_at_any_time;
  // Of packs that hold a needed chunk and another: any of them, or none.
  enum class Repack : std::uint8_t { none, any } repack = Repack::any;
  Lists lists = Lists::all_of_one_moment;
  // A merged table has all entries but those of packs that go, so it hardly matters how far the old ones are removed.
  enum class Tables : std::uint8_t { removed_at_once, removed_one_by_one } tables = Tables::removed_at_once;
  Departure departure = Departure::none;
  // progress: also, from every state, each writer alone comes to an end, a new one succeeds at once, and a last prune
  // leaves nothing that no point needs.
  enum class Check : std::uint8_t { safety, progress } check = Check::safety;
  // A trace is a shortest one only when breadth first.
  enum class Search : std::uint8_t { breadth_first, depth_first } search = Search::breadth_first;
};

struct Outcome {
  std::uint64_t states = 0;        // that were found
  std::string violation;           // empty: there is none
  std::vector<std::string> trace;  // the steps to it
};

// Blocks for as long as it takes; a state takes some 50 bytes.
Outcome explore(const Scenario& scenario);

}  // namespace muster::backup::model
