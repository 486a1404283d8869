#include "parallel-ssh/fleet.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/parallel-ssh/support.h"

namespace muster::ssh {
namespace {

using base::Share;

// Keeps what it hears. Throws where a test says so.
class Heard : public RunObserver {
 public:
  std::unique_ptr<HostOutput> started(std::size_t host) override {
    const std::lock_guard lock(mutex);
    begun.push_back(host);
    if (host == throw_at_start) throw base::Error(Code::no_space, "no room for its output");
    return std::make_unique<Output>(*this);
  }
  void skipped(const HostReport& report) override {
    const std::lock_guard lock(mutex);
    skips[report.host] = report;
  }

  std::mutex mutex;
  std::vector<std::size_t> begun;
  std::map<std::size_t, HostReport> ends, skips;
  std::map<std::size_t, std::string> outputs;
  std::optional<std::size_t> throw_at_start, throw_at_end;

 private:
  struct Output : HostOutput {
    explicit Output(Heard& observer) : heard(observer) {}
    void output(Stream, std::string_view bytes) override { text += bytes; }
    void finished(const HostReport& report) override {
      const std::lock_guard lock(heard.mutex);
      if (report.host == heard.throw_at_end) throw base::Error(Code::io, "cannot keep its output");
      heard.ends[report.host] = report;
      heard.outputs[report.host] = text;
    }
    Heard& heard;
    std::string text;
  };
};

HostReport report(HostState state) {
  HostReport made;
  made.state = state;
  return made;
}

HostTask always(HostState state) {
  return [state](std::size_t, OutputSink&) { return report(state); };
}

// Lets tasks wait for each other; gives up after 30 seconds.
class Meeting {
 public:
  bool wait_for_arrivals(int wanted) {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    return changed_.wait_for(lock, base::seconds(30), [&] { return arrived_ >= wanted; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int arrived_ = 0;
};

// As a user of its own that may have so many threads.
[[noreturn]] void run_with_threads(rlim_t threads) {
  const rlimit limit{.rlim_cur = threads, .rlim_max = threads};
  ::setrlimit(RLIMIT_NPROC, &limit);
  if (::setuid(61'234) != 0) ::_exit(2);
  Heard heard;
  const auto counts =
      run_fleet(20, {.fanout = 10, .batch = {}, .max_fail = {}}, always(HostState::ok), heard, std::stop_token());
  ::_exit(counts.ok == 20 ? 0 : 1);
}

TEST(Fleet, FewerThreadsThanWantedDoTheWork) {
  if (::geteuid() != 0) GTEST_SKIP() << "becoming another user needs root";
#ifdef MUSTER_SANITIZED_THREADS
  GTEST_SKIP() << "tsan starts no threads after a fork";
#endif
  EXPECT_EXIT(run_with_threads(3), testing::ExitedWithCode(0), "");
}

TEST(Fleet, ATaskThatThrowsSomethingElseFailsItsHostOnly) {
  Heard heard;
  const auto counts = run_fleet(
      3, {.fanout = 2, .batch = {}, .max_fail = {}},
      [](std::size_t host, OutputSink&) -> HostReport {
        if (host == 1) throw std::runtime_error("out of something");
        return report(HostState::ok);
      },
      heard, std::stop_token());
  EXPECT_EQ(counts.ok, 2U);
  EXPECT_EQ(counts.failed, 1U);
  EXPECT_EQ(heard.skips.at(1).error, "out of something");
}

TEST(Fleet, EveryHostIsDoneOnceAndCounted) {
  const std::array states{HostState::ok, HostState::failed, HostState::unreachable, HostState::timeout};
  Heard heard;
  const auto counts = run_fleet(42, {.fanout = 5, .batch = {}, .max_fail = {}},
                                [&](std::size_t host, OutputSink& sink) {
                                  sink.output(Stream::out, std::to_string(host));
                                  return report(states.at(host % 4));
                                },
                                heard, {});
  EXPECT_EQ(counts.ok, 11U);
  EXPECT_EQ(counts.failed, 11U);
  EXPECT_EQ(counts.unreachable, 10U);
  EXPECT_EQ(counts.timeout, 10U);
  EXPECT_EQ(counts.skipped, 0U);
  EXPECT_EQ(counts.total(), 42U);
  EXPECT_EQ(heard.begun.size(), 42U);
  EXPECT_EQ(heard.ends.size(), 42U);
  EXPECT_TRUE(heard.skips.empty());
  for (const auto& [host, end] : heard.ends) {
    EXPECT_EQ(end.state, states.at(host % 4));
    EXPECT_EQ(heard.outputs[host], std::to_string(host));
  }
}

TEST(Fleet, NoHostsAreNoWork) {
  Heard heard;
  EXPECT_EQ(run_fleet(0, {.fanout = 4, .batch = Share{1}, .max_fail = {}}, always(HostState::ok), heard, {}).total(),
            0U);
}

TEST(Fleet, AsManyAtOnceAsTheFanoutAndNeverMore) {
  Heard heard;
  Meeting meeting;
  std::atomic<int> at_work = 0, most = 0;
  const auto counts = run_fleet(30, {.fanout = 3, .batch = {}, .max_fail = {}},
                                [&](std::size_t, OutputSink&) {
                                  const int now = ++at_work;
                                  for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) continue;
                                  const bool met =
                                      meeting.wait_for_arrivals(3);  // the first three hold until all are there
                                  --at_work;
                                  return report(met ? HostState::ok : HostState::failed);
                                },
                                heard, {});
  EXPECT_EQ(counts.ok, 30U);
  EXPECT_EQ(most, 3);
}

// Runs `hosts` in batches and returns them as they began. No host may be at work beside one of another batch of `size`.
std::vector<std::size_t> run_in_batches(std::size_t hosts, Share batch, std::size_t size) {
  Heard heard;
  std::mutex mutex;
  std::set<std::size_t> running;
  std::size_t ended = 0;
  run_fleet(hosts, {.fanout = 16, .batch = batch, .max_fail = {}},
            [&](std::size_t host, OutputSink&) {
              {
                const std::lock_guard lock(mutex);
                running.insert(host);
              }
              std::this_thread::yield();  // room for a wrong host to come in
              const std::lock_guard lock(mutex);
              for (const std::size_t other : running)
                EXPECT_EQ(other / size, host / size) << other << " beside " << host;
              EXPECT_GE(ended, host / size * size) << "the batches before " << host << " are not done";
              running.erase(host);
              ++ended;
              return report(HostState::failed);  // failures alone end nothing
            },
            heard, {});
  EXPECT_EQ(ended, hosts);
  return heard.begun;
}

TEST(Fleet, ABatchIsDoneBeforeTheNextStarts) {
  EXPECT_EQ(run_in_batches(23, Share{5}, 5).size(), 23U);
  EXPECT_EQ(run_in_batches(20, Share{25, Share::Unit::percent}, 5).size(), 20U);
}

TEST(Fleet, BatchesOfOneKeepTheOrder) {
  const auto begun = run_in_batches(8, Share{1}, 1);
  EXPECT_TRUE(std::is_sorted(begun.begin(), begun.end()));
}

TEST(Fleet, APercentageTooSmallForAHostIsOneHost) {
  EXPECT_EQ(run_in_batches(10, Share{1, Share::Unit::percent}, 1).size(), 10U);
}

TEST(Fleet, ABatchWithoutHostsIsRefused) {
  Heard heard;
  const auto failure = failure_of(
      [&] { run_fleet(3, {.fanout = 2, .batch = Share{0}, .max_fail = {}}, always(HostState::ok), heard, {}); });
  EXPECT_TRUE(failure.is(Code::usage, "--serial")) << failure;
  EXPECT_TRUE(heard.begun.empty());
}

FleetCounts all_failing(std::size_t hosts, Share max_fail, Heard& heard) {
  return run_fleet(hosts, {.fanout = 1, .batch = {}, .max_fail = max_fail}, always(HostState::failed), heard, {});
}

TEST(Fleet, StopsOnceMoreThanTheAllowedHaveFailed) {
  Heard none, two;
  EXPECT_EQ(all_failing(10, Share{0}, none).failed, 1U);
  const auto counts = all_failing(10, Share{2}, two);
  EXPECT_EQ(counts.failed, 3U);
  EXPECT_EQ(counts.skipped, 7U);
  ASSERT_EQ(two.skips.size(), 7U);
  EXPECT_EQ(two.skips.begin()->first, 3U);
  for (const auto& [host, skip] : two.skips) {
    EXPECT_EQ(skip.state, HostState::skipped);
    EXPECT_EQ(skip.error, "not started: too many hosts failed");
  }
}

TEST(Fleet, APercentageOfFailuresIsOfAllHosts) {
  Heard heard;
  EXPECT_EQ(all_failing(50, Share{10, Share::Unit::percent}, heard).failed, 6U);
}

TEST(Fleet, AsManyFailuresAsAllowedEndNothing) {
  Heard heard;
  const auto counts =
      run_fleet(10, {.fanout = 2, .batch = {}, .max_fail = Share{2}},
                [](std::size_t host, OutputSink&) {
                  return report(host == 1 ? HostState::unreachable : host == 2 ? HostState::timeout : HostState::ok);
                },
                heard, {});
  EXPECT_EQ(counts.ok, 8U);
  EXPECT_EQ(counts.skipped, 0U);
}

TEST(Fleet, DrainedItStartsNoMoreAndFinishesWhatRuns) {
  Heard heard;
  std::stop_source drain;
  const auto counts = run_fleet(
      9, {.fanout = 1, .batch = {}, .max_fail = {}},
      [&](std::size_t host, OutputSink&) {
        if (host == 2) drain.request_stop();
        return report(HostState::ok);
      },
      heard, drain.get_token());
  EXPECT_EQ(counts.ok, 3U);
  EXPECT_EQ(counts.skipped, 6U);
  EXPECT_EQ(heard.skips.at(3).error, "not started: interrupted");
  EXPECT_EQ(heard.ends.count(2), 1U);
}

TEST(Fleet, ThreadsThatWaitForTheNextBatchAreWokenByADrain) {
  Heard heard;
  std::stop_source drain;
  const auto counts = run_fleet(
      4, {.fanout = 4, .batch = Share{1}, .max_fail = {}},
      [&](std::size_t, OutputSink&) {
        drain.request_stop();
        return report(HostState::ok);
      },
      heard, drain.get_token());
  EXPECT_EQ(counts.ok, 1U);
  EXPECT_EQ(counts.skipped, 3U);
}

TEST(Fleet, OutputThatCannotBeKeptIsItsHostsFailureAlone) {
  Heard heard;
  heard.throw_at_start = 1;
  heard.throw_at_end = 2;
  const auto counts = run_fleet(4, {.fanout = 2, .batch = {}, .max_fail = {}}, always(HostState::ok), heard, {});
  EXPECT_EQ(counts.ok, 2U);
  EXPECT_EQ(counts.failed, 2U);
  ASSERT_EQ(heard.skips.size(), 2U);
  EXPECT_EQ(heard.skips.at(1).state, HostState::failed);
  EXPECT_EQ(heard.skips.at(1).error, "no room for its output");
  EXPECT_EQ(heard.skips.at(2).state, HostState::failed);
  EXPECT_EQ(heard.skips.at(2).error, "cannot keep its output");
}

TEST(Fleet, AFailureToKeepOutputCountsForTheLimit) {
  Heard heard;
  heard.throw_at_start = 0;
  EXPECT_EQ(run_fleet(5, {.fanout = 1, .batch = {}, .max_fail = Share{0}}, always(HostState::ok), heard, {}).skipped,
            4U);
}

TEST(BoundedFanout, KeepsToWhatWasAskedForAndIsAtLeastOne) {
  EXPECT_EQ(bounded_fanout(1), 1);
  EXPECT_EQ(bounded_fanout(7), 7);
  EXPECT_GE(bounded_fanout(std::nullopt), 1);
}

}  // namespace
}  // namespace muster::ssh
