// The exploration: all states that steps lead to from the first one, each looked at once, and the trace to one in which
// something is lost or nobody gets on.
#include "tests/backup/protocol_model.h"

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <stdexcept>
#include <utility>

#include "tests/backup/protocol_steps.h"

namespace muster::backup::model {
namespace {

// --- what has to hold

// By an index that whoever begins now would load.
std::string lost(const Steps& steps, const State& s) {
  const unsigned found = steps.chunks_in(s, s.packs & steps.packs_in(s, s.tables));
  if (has(s.points, kParent) && (steps.chunks_of(bit(kParent)) & ~found) != 0) return "a chunk of the parent is lost";
  for (unsigned n = 0; n <= kLateWriter; ++n) {
    if (s.writers[n].at != WriterAt::succeeded) continue;
    const unsigned point = point_of(n, s.writers[n].attempt);
    const std::string whose = " that writer " + std::to_string(n) + " has confirmed";
    if (!has(s.points, point)) return "the point is gone" + whose;
    if ((steps.chunks_of(bit(point)) & ~found) != 0) return "a chunk is lost of the point" + whose;
  }
  return {};
}

// Runs one process while the others stand still, by the first of each choice.
template <class Step>
std::size_t run_alone(State& s, std::vector<Next>& out, Step&& step) {
  for (std::size_t steps = 0;; ++steps) {
    out.clear();
    step(s);
    if (out.empty()) return steps;
    const State next = out.front().state;
    s = next;
    if (steps > 1000) throw std::logic_error("a process of the model does not end");
  }
}

std::string stuck(const Scenario& scenario, const State& s) {
  std::vector<Next> out;
  Scenario alone = scenario;
  alone.lists = Lists::all_of_one_moment;
  alone.alive_at_once = kSentences;
  Steps steps(alone, out);
  for (unsigned n = 0; n <= kLateWriter; ++n) {
    State end = s;
    for (auto& w : end.writers) w.listing = false;
    run_alone(end, out, [&](const State& now) { steps.of_writer(now, n); });
    if (n == kLateWriter && (end.writers[n].at != WriterAt::succeeded || end.writers[n].attempt != 0))
      return "a writer fails although it is alone";
    if (const auto what = lost(steps, end); !what.empty()) return what;
  }
  State end = s;
  run_alone(end, out, [&](const State& now) { steps.of_prune(now, kLastPrune); });
  if (const auto what = lost(steps, end); !what.empty()) return what + " by a last prune";
  for (unsigned pack = 0; pack < kPacks; ++pack)
    if (has(end.packs, pack) && (end.content[pack] & steps.chunks_of(end.points)) == 0)
      return "a last prune leaves a pack that nobody needs";
  if ((end.points & ~end.confirmed) != 0) return "a last prune leaves a point that was not confirmed";
  return {};
}

// --- the exploration: breadth first, so that a trace is a shortest one

class States {
 public:
  explicit States(std::size_t words) : words_(words), slots_(1U << 16, kNone) {}

  std::size_t size() const { return parents_.size(); }
  const std::uint64_t* at(std::size_t number) const { return &blocks_[number / kBlock][number % kBlock * words_]; }
  std::uint32_t parent(std::size_t number) const { return parents_[number]; }
  // False where it is known.
  bool add(const Words& state, std::uint32_t parent) {
    if (size() * 3 >= slots_.size() * 2) grow();
    std::uint32_t& slot = find(state.data());
    if (slot != kNone) return false;
    slot = static_cast<std::uint32_t>(size());
    if (size() % kBlock == 0) blocks_.push_back(std::make_unique_for_overwrite<std::uint64_t[]>(kBlock * words_));
    std::copy_n(state.begin(), words_, &blocks_.back()[size() % kBlock * words_]);
    parents_.push_back(parent);
    return true;
  }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  static constexpr std::size_t kBlock = 1U << 16;  // states: to grow without copying

  std::uint32_t& find(const std::uint64_t* state) {
    std::uint64_t hash = 0;
    for (std::size_t i = 0; i < words_; ++i) {
      hash = (hash ^ state[i]) * 0x9E3779B97F4A7C15U;
      hash ^= hash >> 29;
    }
    const std::size_t mask = slots_.size() - 1;
    std::size_t at_slot = hash & mask;
    while (slots_[at_slot] != kNone && !std::equal(state, state + words_, at(slots_[at_slot])))
      at_slot = (at_slot + 1) & mask;
    return slots_[at_slot];
  }
  void grow() {
    slots_.assign(slots_.size() * 2, kNone);
    for (std::size_t n = 0; n < size(); ++n) find(at(n)) = static_cast<std::uint32_t>(n);
  }

  std::size_t words_;
  std::vector<std::unique_ptr<std::uint64_t[]>> blocks_;
  std::vector<std::uint32_t> parents_, slots_;
};

// Neither is there a point that has to be kept, nor can there be one.
bool is_idle(const Scenario& scenario, const State& s) {
  if (has(s.points, kParent)) return false;
  return std::all_of(s.writers.begin(), s.writers.begin() + scenario.writers,
                     [](const Writer& w) { return w.at == WriterAt::gave_up; });
}

void all_steps(const Scenario& scenario, Steps& steps, const State& s) {
  if (is_idle(scenario, s)) return;
  steps.of_user(s);
  for (unsigned n = 0; n < scenario.writers; ++n) steps.of_writer(s, n);
  for (unsigned n = 0; n < scenario.prunes; ++n) steps.of_prune(s, n);
}

std::string text_of(const Next& next) {
  static constexpr std::array<const char*, 9> kLetters = {"pack ", "table ", "point ", "sentence ", "chunk ",
                                                          "",      "",       "",       ""};
  std::string text = next.actor.kind == Kind::user     ? "user"
                     : next.actor.kind == Kind::writer ? "writer " + std::to_string(next.actor.number)
                                                       : "prune " + std::to_string(next.actor.number);
  text += std::string(": ") + next.done;
  if (next.of == Of::flag) return text;
  text += next.with == 0 ? " nothing" : "";
  for (unsigned left = next.with; left != 0; left &= left - 1)
    text += std::string(" ") + kLetters[static_cast<unsigned>(next.of)] + std::to_string(lowest(left));
  return text;
}

// Whether this is that state with others called 0 and 1.
bool is_called(const Scenario& scenario, State s, const std::uint64_t* stored) {
  tidy(scenario, s);
  // The exchanges that lead through all orders of three, one after the other.
  static constexpr std::array<std::pair<unsigned, unsigned>, 6> kExchanges = {
      {{0, 1}, {1, 2}, {0, 1}, {1, 2}, {0, 1}, {1, 2}}};
  for (unsigned round = 0; round < 2; ++round) {
    for (const auto& [a, b] : kExchanges) {
      Words words;
      const std::size_t bits = encode(scenario, s, words);
      if (std::equal(words.begin(), words.begin() + static_cast<std::ptrdiff_t>((bits + 63) / 64), stored)) return true;
      if (b < scenario.prunes) swap_prunes(scenario, s, a, b);
    }
    if (scenario.writers == 2) swap_writers(scenario, s);
  }
  return false;
}

// The steps to a state, with everybody called the same from the first to the last.
std::vector<std::string> trace_to(const Scenario& scenario, const States& states, std::uint32_t last) {
  std::vector<std::uint32_t> way;
  for (std::uint32_t n = last; n != 0; n = states.parent(n)) way.push_back(n);
  std::vector<std::string> trace;
  std::vector<Next> out;
  Steps steps(scenario, out);
  State s = start(scenario);
  for (auto n = way.rbegin(); n != way.rend(); ++n) {
    out.clear();
    all_steps(scenario, steps, s);
    const auto taken = std::find_if(out.begin(), out.end(),
                                    [&](const Next& next) { return is_called(scenario, next.state, states.at(*n)); });
    if (taken == out.end()) throw std::logic_error("a state that nothing leads to");
    trace.push_back(text_of(*taken));
    s = State(taken->state);
    tidy(scenario, s);
  }
  return trace;
}

}  // namespace

Outcome explore(const Scenario& scenario) {
  Words words;
  const State first = start(scenario);
  const unsigned bits = encode(scenario, first, words);
  States states((bits + 63) / 64);
  states.add(words, 0);
  std::vector<Next> out;
  Steps steps(scenario, out);
  std::deque<std::uint32_t> todo{0};
  while (!todo.empty()) {
    const bool breadth = scenario.search == Scenario::Search::breadth_first;
    const std::uint32_t number = breadth ? todo.front() : todo.back();
    breadth ? todo.pop_front() : todo.pop_back();
    State s;
    decode(scenario, states.at(number), s);
    if (scenario.check == Scenario::Check::progress)
      if (const auto what = stuck(scenario, s); !what.empty())
        return {states.size(), what, trace_to(scenario, states, number)};
    out.clear();
    all_steps(scenario, steps, s);
    for (Next& next : out) {
      order(scenario, next.state);
      encode(scenario, next.state, words);
      if (!states.add(words, number)) continue;
      todo.push_back(static_cast<std::uint32_t>(states.size() - 1));
      const auto what = lost(steps, next.state);
      if (!what.empty()) return {states.size(), what, trace_to(scenario, states, todo.back())};
    }
  }
  return {states.size(), {}, {}};
}

}  // namespace muster::backup::model
