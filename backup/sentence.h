// How packs are let go without losing what a writer is just about to use: a sentence names packs, a verdict, put once
// for each sentence, says which of them go (muster-repository(7), "Letting go"). Both are signed by the maintenance
// key.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "backup/repository.h"

namespace muster::backup {

// Packs of one sentence; more go into another one.
constexpr std::size_t kMaxSentencedPacks = 100'000;

struct Sentence {
  ObjectId id;
  std::vector<ObjectId> packs;
  // The session that put it, and the index tables that its repacked chunks are in.
  ObjectId session;
};

// Throws Error{key} without the maintenance key.
void put_sentence(const base::Context& ctx, const Repository& repository, const Sentence& sentence);
struct Verdict {
  ObjectId sentence;
  std::vector<ObjectId> condemned;
  ObjectId session;  // that gave it
};
// False where somebody gave one before: that one holds.
bool put_verdict(const base::Context& ctx, const Repository& repository, const Verdict& verdict);

struct Judged {
  Sentence sentence;
  std::chrono::sys_seconds stored;
  std::optional<std::vector<ObjectId>> condemned;  // once there is a verdict
  ObjectId judge{};                                // the session that gave it
};
// All sentences with their verdicts, by id. What is not signed by the maintenance key is warned of and passed over: a
// host cannot sentence. One that is gone when it is read had been carried out.
std::vector<Judged> read_sentences(const base::Context& ctx, const Repository& repository);
// Their ids alone.
std::set<ObjectId> list_sentences(const base::Context& ctx, Storage& storage);

// Packs nobody may begin to use: all of a sentence without a verdict, otherwise the condemned.
std::set<ObjectId> doomed_packs(const std::vector<Judged>& sentences);

// Removes the sentence, then its verdict. One that another session gave stays: the sentence's own maker may be asleep,
// and must find it.
void remove_sentence(const base::Context& ctx, const Repository& repository, const Judged& judged);

}  // namespace muster::backup
