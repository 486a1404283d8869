// Two writers and two prunes at once, on the real code, in many schedules: what was confirmed is never lost. Each
// operation of the storage waits for a turn that a seed decides; some seeds let leases expire meanwhile, so that only
// the protocol protects.
#include <condition_variable>
#include <random>
#include <thread>

#include "backup/lease.h"
#include "backup/object_names.h"
#include "backup/prune.h"
#include "tests/backup/support.h"

namespace muster::backup {
namespace {

using fakes::MemoryDisk;

#ifdef MUSTER_SANITIZED
constexpr unsigned kSchedules = 10;
#else
constexpr unsigned kSchedules = 60;
#endif

// Lets one of the actors do one operation, by a seed. An actor may have several threads: they take turns as one.
class Turns {
 public:
  Turns(unsigned actors, unsigned seed) : random_(seed), waiting_(actors), active_(actors, true) {}

  void wait(unsigned actor) {
    std::unique_lock lock(mutex_);
    ++waiting_[actor];
    next_.wait_for(lock, std::chrono::milliseconds(20), [&] { return turn_ == actor; });
    --waiting_[actor];
    choose();
    next_.notify_all();
  }
  void leave(unsigned actor) {
    const std::lock_guard lock(mutex_);
    active_[actor] = false;
    choose();
    next_.notify_all();
  }

 private:
  void choose() {
    std::vector<unsigned> candidates;
    for (unsigned i = 0; i < active_.size(); ++i)
      if (active_[i]) candidates.push_back(i);
    if (candidates.empty()) return;
    // Often the same again, so that one gets far while the others sleep.
    if (active_[turn_] && random_() % 4 != 0) return;
    turn_ = candidates[random_() % candidates.size()];
  }

  std::mutex mutex_;
  std::condition_variable next_;
  std::mt19937 random_;
  unsigned turn_ = 0;
  std::vector<unsigned> waiting_;
  std::vector<bool> active_;
};

// One actor's view of the storage. Leases can be made invisible: as if they had expired.
class TurnStorage : public Storage {
 public:
  TurnStorage(std::shared_ptr<Storage> inner, Turns& turns, unsigned actor, bool hides_leases)
      : inner_(std::move(inner)), turns_(turns), actor_(actor), hides_leases_(hides_leases) {}

  Put put_new(const base::Context& ctx, std::string_view name, std::span<const base::ByteView> pieces) override {
    turns_.wait(actor_);
    return inner_->put_new(ctx, name, pieces);
  }
  std::size_t get_range(const base::Context& ctx, std::string_view name, std::uint64_t offset,
                        base::MutableBytes into) override {
    return inner_->get_range(ctx, name, offset, into);
  }
  void list(const base::Context& ctx, std::string_view prefix,
            const std::function<void(const StoredObject&)>& take) override {
    turns_.wait(actor_);
    if (hides_leases_ && prefix == kLeasesPrefix) return;
    inner_->list(ctx, prefix, take);
  }
  bool remove(const base::Context& ctx, std::string_view name) override {
    turns_.wait(actor_);
    return inner_->remove(ctx, name);
  }
  std::optional<StoredObject> stat(const base::Context& ctx, std::string_view name) override {
    return inner_->stat(ctx, name);
  }
  std::string where() const override { return inner_->where(); }

 private:
  std::shared_ptr<Storage> inner_;
  Turns& turns_;
  unsigned actor_;
  bool hides_leases_;
};

struct Outcome {
  std::optional<RestorePoint> point;
  std::string error;
};

TEST(Schedule, TwoWritersAndTwoPrunesLoseNothing) {
  unsigned confirmed = 0;
  std::atomic<unsigned> redone = 0;
  for (unsigned seed = 0; seed < kSchedules; ++seed) {
    const auto storage = std::make_shared<fakes::MemoryStorage>();
    const Credential owner = make_repository(*storage);
    MemoryDisk base(4 * kTestChunkBytes);
    fill(base, 0, 4 * kTestChunkBytes, 1);
    const auto old = back_up(*open_as(storage, owner), base, {.name = "old"}).point;
    const auto parent = back_up(*open_as(storage, owner), base, {.name = "w0"}).point;
    // Both writers want what only `old` and their parent have, and that is being let go.
    forget_points({}, *open_as(storage, owner), {old.id});
    Turns turns(4, seed);
    std::vector<Outcome> outcomes(2);
    std::vector<MemoryDisk*> disks;
    MemoryDisk first(base.bytes()), second(base.bytes());
    fill(first, 0, 100, 10 + seed);
    fill(second, 2 * kTestChunkBytes, 100, 1000 + seed);
    disks = {&first, &second};
    {
      std::vector<std::jthread> threads;
      for (unsigned i = 0; i < 2; ++i)
        threads.emplace_back([&, i] {
          try {
            const auto view = std::make_shared<TurnStorage>(storage, turns, i, false);
            const auto result =
                back_up(*open_as(view, owner), *disks[i],
                        {.name = "w" + std::to_string(i), .parent = i == 0 ? std::optional(parent) : std::nullopt});
            outcomes[i].point = result.point;
            redone += result.attempts > 1;
          } catch (const base::Error& e) {
            outcomes[i].error = e.what();
          }
          turns.leave(i);
        });
      for (unsigned i = 2; i < 4; ++i)
        threads.emplace_back([&, i] {
          try {
            const auto repository = open_as(std::make_shared<TurnStorage>(storage, turns, i, seed % 3 != 0), owner);
            if (i == 2) forget_points({}, *repository, {parent.id});
            prune({}, *repository, {.repack_percent = 10});
            prune({}, *repository, {.repack_percent = 10});
          } catch (const base::Error&) {
            // Two prunes may get into each other's way: work is lost, nothing else.
          }
          turns.leave(i);
        });
    }
    const auto repository = open_as(storage, owner);
    for (unsigned i = 0; i < 2; ++i) {
      if (!outcomes[i].point) continue;
      ++confirmed;
      ASSERT_EQ(restore(*repository, get_point({}, *repository, outcomes[i].point->id).point), disks[i]->bytes())
          << "seed " << seed << " writer " << i;
    }
    // Once all are gone, what nobody needs goes, and what is needed stays.
    storage->advance(std::chrono::hours(2));
    prune({}, *repository, {.repack_percent = 10});
    prune({}, *repository, {.repack_percent = 10});
    ASSERT_TRUE(check_all(*repository).broken_points.empty()) << "seed " << seed;
    for (unsigned i = 0; i < 2; ++i) {
      if (!outcomes[i].point) continue;
      ASSERT_EQ(restore(*repository, outcomes[i].point.value()), disks[i]->bytes()) << "seed " << seed;
    }
  }
  std::cout << kSchedules << " schedules, " << confirmed << " backups confirmed, " << redone << " made again\n";
  EXPECT_GT(confirmed, kSchedules);
}

}  // namespace
}  // namespace muster::backup
