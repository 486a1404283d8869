// The steps of users, writers and prunes in the model of the protocol: each is one operation of the store, and what is
// worked out from it. What does the same to a real store is in backup/index.cc, create.cc, settle.cc, sentence.cc and
// prune.cc: whoever changes the order of operations there changes it here. An object is one thread's.
#pragma once

#include <vector>

#include "tests/backup/protocol_state.h"

namespace muster::backup::model {

enum class Kind : Small { user, writer, prune };
struct Actor {
  Kind kind = Kind::user;
  unsigned number = 0;
};

// A state that one step leads to, and what to say of that step.
struct Next {
  State state;
  Actor actor;
  const char* done = "";
  unsigned with = 0;  // a set
  Of of = Of::flag;   // flag: none
};

// Adds to `out` whatever a step can lead to, one for each choice there is; nothing for who has come to an end. Both
// `out` and the scenario have to outlive it, and a state given must not be one of `out`.
class Steps {
 public:
  Steps(const Scenario& scenario, std::vector<Next>& out) : scenario_(scenario), out_(out) {}

  void of_user(const State& s);
  // Where there is a choice, what clears up most comes first.
  void of_writer(const State& s, unsigned n);
  void of_prune(const State& s, unsigned n);

  // The packs that tables name, the chunks that packs hold, and those that points need.
  Set packs_in(const State& s, unsigned tables) const;
  Small chunks_in(const State& s, unsigned packs) const;
  Small chunks_of(unsigned points) const;

 private:
  bool departs(Departure departure) const { return scenario_.departure == departure; }
  Small all_chunks() const { return static_cast<Small>((1U << scenario_.chunks) - 1); }
  bool at_one_moment(Of kind) const;
  State& add(const State& s, Actor actor, const char* done, unsigned with = 0, Of of = Of::flag) {
    return out_.emplace_back(Next{s, actor, done, with, of}).state;
  }
  Writer& add_writer(const State& s, unsigned n, const char* done, unsigned with = 0, Of of = Of::flag) {
    return add(s, {Kind::writer, n}, done, with, of).writers[n];
  }
  Prune& add_prune(const State& s, unsigned n, const char* done, unsigned with = 0, Of of = Of::flag) {
    return add(s, {Kind::prune, n}, done, with, of).prunes[n];
  }
  // Calls `take` with each state and set that a list can come to, or begins one that is not of one moment.
  template <class Process, class Take>
  void list(const State& s, Process& (*of)(State&, unsigned), unsigned n, Take&& take);

  void load_of_writer(const State& s, unsigned n);
  void read_of_writer(const State& s, unsigned n);
  void take_in(const State& s, unsigned n);
  void settle(const State& s, unsigned n);
  void after_load(Writer& w) const;
  void after_parent(Writer& w) const;
  void start_over(Writer& w) const;

  void begin_prune(const State& s, unsigned n);
  void judge_old(const State& s, unsigned n);
  void reject_dead(const State& s, unsigned n);
  void choose(const State& s, unsigned n);
  void choose_packs(const State& s, unsigned n, unsigned packs);
  void put_sentence(const State& s, unsigned n);
  void look_again(const State& s, unsigned n);
  void give_verdict(const State& s, unsigned n);
  void carry_out(const State& s, unsigned n);
  void remove_old(const State& s, unsigned n);
  Set condemn(const State& s, const Prune& p) const;
  void after_verdict(Prune& p) const;
  void after_removals(Prune& p) const;

  const Scenario& scenario_;
  std::vector<Next>& out_;
};

}  // namespace muster::backup::model
