#include "backup/prune.h"

#include <algorithm>

#include "backup/index_merge.h"
#include "backup/lease.h"
#include "backup/marks.h"
#include "backup/numbered_objects.h"
#include "backup/object_names.h"
#include "backup/repack.h"
#include "backup/rfc3339.h"
#include "backup/sentence.h"
#include "backup/settle.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Code;
using base::Context;
using base::Error;
using Packs = std::set<ObjectId>;

// Packs smaller than that are joined, once there are so many.
constexpr std::uint64_t kSmallPackBytes = kPackBytes / 4;
constexpr std::size_t kManySmallPacks = 32;
constexpr int kMaxTries = 20;

// All of them, or nothing is known.
std::vector<ListedPoint> all_points(const Context& ctx, const Repository& repository) {
  return list_all_points(ctx, repository, [](const std::string& object, const Error& why) {
    throw Error(why.code(), object + " cannot be read, so nothing is known to be unneeded: " + why.what());
  });
}

// Those of `more` that are not among `points`.
void add_missing(std::vector<ListedPoint>& points, const std::vector<ListedPoint>& more) {
  std::set<ObjectId> known;
  for (const auto& listed : points) known.insert(listed.point.id);
  for (const auto& listed : more)
    if (!known.contains(listed.point.id)) points.push_back(listed);
}

class Prune {
 public:
  Prune(const Context& ctx, const Repository& repository, const PruneOptions& options)
      : ctx_(ctx), repository_(repository), options_(options) {}

  PruneResult plan();
  PruneResult run();

 private:
  void look_around(const ObjectId& own_session);
  bool is_live(const ObjectId& session) const;
  bool writer_since_before(std::chrono::sys_seconds time) const;
  void reject_dead_points(const ObjectId& own_session);
  Packs choose(const Marks& marks, const Packs& doomed, Packs& to_repack);
  void choose_small(const Marks& marks, const Packs& doomed, Packs& to_repack) const;
  void count(const Marks& marks, const Packs& unneeded, const Packs& repacked);
  std::vector<ObjectId> judge(const Sentence& sentence, const std::vector<ListedPoint>& chosen_by);
  void acquit_orphans(const std::vector<Judged>& sentences, const ObjectId& own_session);
  bool may_carry_out(const Judged& judged);
  bool is_carried_out(const Judged& judged) const;
  void carry_out(const std::vector<ObjectId>& condemned);

  const Context& ctx_;
  const Repository& repository_;
  const PruneOptions& options_;
  PruneResult result_;
  std::vector<FoundLease> leases_;  // of others, not expired
  bool beside_writers_ = false;     // some point was being made when this run judged
};

void Prune::look_around(const ObjectId& own_session) {
  const auto time = options_.act == PruneOptions::Act::plan ? now() : store_time(ctx_, repository_);
  leases_ = find_leases(ctx_, repository_, time);
  for (const auto& lease : leases_)
    if (lease.expired && options_.act == PruneOptions::Act::carry_out)
      for (const auto& object : lease.objects) repository_.storage().remove(ctx_, object);
  std::erase_if(leases_, [&](const FoundLease& lease) { return lease.expired || lease.session == own_session; });
}

bool Prune::is_live(const ObjectId& session) const {
  return std::any_of(leases_.begin(), leases_.end(), [&](const FoundLease& lease) { return lease.session == session; });
}

bool Prune::writer_since_before(std::chrono::sys_seconds time) const {
  return std::any_of(leases_.begin(), leases_.end(), [&](const FoundLease& lease) {
    return lease.kind != LeaseKind::reader && lease.first_seen <= time;
  });
}

// Unconfirmed points that nobody can be at any more. One who is, against all signs, finds the rejection, which stays.
void Prune::reject_dead_points(const ObjectId& own_session) {
  const auto points = all_points(ctx_, repository_);
  look_around(own_session);
  for (const auto& listed : points) {
    const ObjectId& id = listed.point.id;
    if (listed.state == PointState::confirmed || writer_since_before(listed.stored)) continue;
    if (decide_point(ctx_, repository_, id, PointState::rejected) != PointState::rejected) continue;
    repository_.storage().remove(ctx_, object_name(kPointsPrefix, id));
    ++result_.removed_points;
  }
}

void Prune::choose_small(const Marks& marks, const Packs& doomed, Packs& to_repack) const {
  Packs small;
  for (const auto& [id, use] : marks.packs())
    if (use.indexed && use.live_bytes > 0 && use.size_bytes < kSmallPackBytes && !doomed.contains(id) &&
        !writer_since_before(use.stored))
      small.insert(id);
  if (small.size() < kManySmallPacks) return;
  for (const auto& id : small)
    if (to_repack.size() < kMaxSentencedPacks / 2) to_repack.insert(id);
}

// The packs nobody needs, and those worth writing anew. What somebody may be just writing is neither.
Packs Prune::choose(const Marks& marks, const Packs& doomed, Packs& to_repack) {
  Packs unneeded;
  std::uint64_t repack_bytes = 0;
  for (const auto& [id, use] : marks.packs()) {
    if (doomed.contains(id) || writer_since_before(use.stored)) continue;
    if (use.live_bytes == 0) {
      if (unneeded.size() < kMaxSentencedPacks / 2) unneeded.insert(id);
      continue;
    }
    const bool wasteful = use.live_bytes * 100 < use.size_bytes * (100 - std::min(100U, options_.repack_percent));
    const bool fits = options_.max_repack_bytes == 0 || repack_bytes + use.live_bytes <= options_.max_repack_bytes;
    if (!wasteful || !fits || to_repack.size() >= kMaxSentencedPacks / 4) continue;
    to_repack.insert(id);
    repack_bytes += use.live_bytes;
  }
  if (options_.max_repack_bytes == 0) choose_small(marks, doomed, to_repack);
  return unneeded;
}

void Prune::count(const Marks& marks, const Packs& unneeded, const Packs& repacked) {
  result_.packs = marks.packs().size();
  result_.live_bytes = marks.live_bytes();
  for (const auto& packs : {unneeded, repacked})
    for (const auto& id : packs) {
      ++result_.sentenced_packs;
      result_.sentenced_bytes += marks.packs().at(id).size_bytes;
    }
  result_.repacked_packs = repacked.size();
}

// Which packs of the sentence go. What any point needs that was there when packs were chosen, or is now, must have a
// copy that no sentence can take; where only packs of this sentence have one, those are spared; where not even they do,
// as its table is still to come, nothing goes.
std::vector<ObjectId> Prune::judge(const Sentence& sentence, const std::vector<ListedPoint>& chosen_by) {
  wait_out_lag(ctx_, repository_.storage());
  look_around(sentence.session);
  auto points = all_points(ctx_, repository_);
  for (const auto& listed : points) beside_writers_ = beside_writers_ || listed.state == PointState::unconfirmed;
  add_missing(points, chosen_by);
  auto sentences = read_sentences(ctx_, repository_);
  std::erase_if(sentences, [&](const Judged& judged) { return judged.sentence.id == sentence.id; });
  const Packs others = doomed_packs(sentences), mine(sentence.packs.begin(), sentence.packs.end());
  Packs looked_at = mine, condemned = mine;
  looked_at.insert(others.begin(), others.end());
  const Marks marks(ctx_, repository_, points, leases_);
  bool all_found = !marks.misses_something();
  marks.each_needed(ctx_, looked_at, [&](const Marks::Needed& needed) {
    bool safe = false;
    Packs spared;
    marks.copies_of(ctx_, needed, [&](const ObjectId& copy) {
      safe = safe || !looked_at.contains(copy);
      if (mine.contains(copy) && !others.contains(copy)) spared.insert(copy);
    });
    if (mine.contains(needed.pack) && !others.contains(needed.pack)) spared.insert(needed.pack);
    if (safe) return;
    all_found = all_found && !spared.empty();
    for (const auto& pack : spared) condemned.erase(pack);
  });
  if (!all_found) return {};
  return {condemned.begin(), condemned.end()};
}

// A sentence whose maker died before judging: nobody else may, so nothing of it goes.
void Prune::acquit_orphans(const std::vector<Judged>& sentences, const ObjectId& own_session) {
  for (const auto& judged : sentences)
    if (!judged.condemned && !is_live(judged.sentence.session))
      put_verdict(ctx_, repository_, {.sentence = judged.sentence.id, .condemned = {}, .session = own_session});
}

bool Prune::may_carry_out(const Judged& judged) {
  bool may = true;
  for (const auto& lease : leases_) {
    if (lease.first_seen > judged.stored) continue;
    may = false;
    const auto same = [&](const WaitedFor& w) { return w.host == lease.host && w.since == lease.first_seen; };
    if (std::none_of(result_.waited_for.begin(), result_.waited_for.end(), same))
      result_.waited_for.push_back({lease.host, name_of(lease.kind), lease.first_seen});
  }
  return may;
}

bool Prune::is_carried_out(const Judged& judged) const {
  if (!judged.condemned) return false;
  const Packs gone(judged.condemned->begin(), judged.condemned->end());
  for (const auto& id : list_packs(ctx_, repository_.storage()))
    if (gone.contains(id)) return false;
  return true;
}

void Prune::carry_out(const std::vector<ObjectId>& condemned) {
  if (condemned.empty()) return;
  const Packs gone(condemned.begin(), condemned.end());
  for (int attempt = 1;; ++attempt) {
    try {
      replace_tables(ctx_, repository_, tables_to_replace(ctx_, repository_, gone), gone);
      break;
    } catch (const Error& e) {
      if (e.code() != Code::not_found || attempt == kMaxTries) throw;  // another prune is at the same tables
    }
  }
  for (const auto& id : condemned) {
    ctx_.check_stop();
    const auto facts = repository_.storage().stat(ctx_, pack_name(id));
    if (!repository_.storage().remove(ctx_, pack_name(id))) continue;
    ++result_.removed_packs;
    result_.removed_bytes += facts ? facts->size_bytes : 0;
  }
}

PruneResult Prune::plan() {
  look_around({});
  auto points = all_points(ctx_, repository_);
  const std::set<ObjectId> without(options_.plan_without.begin(), options_.plan_without.end());
  std::erase_if(points, [&](const ListedPoint& listed) { return without.contains(listed.point.id); });
  const Marks marks(ctx_, repository_, points, leases_);
  Packs to_repack;
  const Packs unneeded = choose(marks, doomed_packs(read_sentences(ctx_, repository_)), to_repack);
  count(marks, unneeded, to_repack);
  for (const auto& id : to_repack) result_.repacked_bytes += marks.packs().at(id).live_bytes;
  return result_;
}

PruneResult Prune::run() {
  const Lease lease(ctx_, repository_, {.kind = LeaseKind::maintenance, .contents = {}});
  finish_forgetting(ctx_, repository_);
  // Leases after what they are to protect: whoever put that has one already, or is done.
  const auto orphans = read_sentences(ctx_, repository_);
  look_around(lease.session());
  acquit_orphans(orphans, lease.session());
  reject_dead_points(lease.session());
  const auto points = all_points(ctx_, repository_);
  const auto earlier = read_sentences(ctx_, repository_);
  Sentence sentence{.id = random_object_id(), .packs = {}, .session = lease.session()};
  {
    const Marks marks(ctx_, repository_, points, leases_);
    look_around(lease.session());
    Packs to_repack;
    const Packs unneeded = choose(marks, doomed_packs(earlier), to_repack);
    const Repacked repacked = repack(ctx_, repository_, marks, to_repack, options_.progress);
    result_.repacked_bytes = repacked.copied_bytes;
    count(marks, unneeded, repacked.packs);
    sentence.packs.assign(unneeded.begin(), unneeded.end());
    sentence.packs.insert(sentence.packs.end(), repacked.packs.begin(), repacked.packs.end());
  }
  if (!sentence.packs.empty()) {
    put_sentence(ctx_, repository_, sentence);
    put_verdict(ctx_, repository_,
                {.sentence = sentence.id, .condemned = judge(sentence, points), .session = lease.session()});
  }
  for (const auto& judged : read_sentences(ctx_, repository_))
    if (judged.condemned && !is_carried_out(judged) && may_carry_out(judged)) carry_out(*judged.condemned);
  // Whoever loaded their packs before must see that something happened: only once there is a newer one, and nobody is
  // just about to look.
  if (!sentence.packs.empty() && !beside_writers_)
    for (const auto& judged : earlier)
      if (is_carried_out(judged)) remove_sentence(ctx_, repository_, judged);
  for (const auto prefix : {kLabelsPrefix, kBootsPrefix}) remove_stale_numbered(ctx_, repository_.storage(), prefix);
  return result_;
}

}  // namespace

PruneResult prune(const Context& ctx, const Repository& repository, const PruneOptions& options) {
  check_features(repository.config(), Use::remove);
  Prune work(ctx, repository, options);
  if (options.act == PruneOptions::Act::plan) return work.plan();
  if (!repository.credential().maintenance_seed)
    throw Error(Code::key, "this key may write backups, not let go of any: take the owner's or a maintenance key");
  try {
    return work.run();
  } catch (const Error& e) {
    if (e.code() != Code::not_found) throw;
    throw Error(Code::busy, std::string("another prune is at work here: ") + e.what());
  }
}

}  // namespace muster::backup
