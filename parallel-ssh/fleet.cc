#include "parallel-ssh/fleet.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>

#include "base/context.h"
#include "base/error.h"

namespace muster::ssh {
namespace {

using base::Code;
using base::Error;

#ifdef __SANITIZE_THREAD__
// The sanitizer's thread-local storage lies in the stack and is larger than the other one: no thread could be made.
constexpr std::size_t kStackBytes = 8U << 20;
#else
// Enough for libssh, OpenSSL and the name service together (150 KiB seen at most).
constexpr std::size_t kStackBytes = 512U << 10;
#endif
// Socket, both ends of a jump host's socket pair, two spools of --gather, two files of --output-dir; OpenSSH's client
// takes six in place of the first three.
constexpr int kDescriptorsPerHost = 10;
constexpr rlim_t kMostDescriptors = 1U << 16;  // libssh keeps 16 bits of a descriptor it is given
constexpr int kDescriptorsKept = 64;

// Hands out the hosts in order, as batches and the failure limit allow. Thread-safe.
class HostQueue {
 public:
  HostQueue(std::size_t hosts, const FleetOptions& options, const std::stop_token& drain)
      : hosts_(hosts), drain_(drain) {
    batch_ = options.batch ? options.batch->of(hosts) : hosts;
    if (options.batch && options.batch->unit == base::Share::Unit::percent) batch_ = std::max<std::size_t>(batch_, 1);
    if (batch_ == 0 && hosts > 0) throw Error(Code::usage, "a batch of --serial holds no host");
    batch_end_ = std::min(batch_, hosts);
    if (options.max_fail) failures_allowed_ = options.max_fail->of(hosts);
  }

  std::optional<std::size_t> take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, drain_, [&] { return next_ < batch_end_ || running_ == 0 || exhausted(); });
    if (exhausted() || drain_.stop_requested()) return std::nullopt;
    if (next_ == batch_end_) batch_end_ = std::min(batch_end_ + batch_, hosts_);
    ++running_;
    return next_++;
  }

  void done(HostState state) {
    const std::lock_guard lock(mutex_);
    --running_;
    if (state != HostState::ok) ++failures_;
    changed_.notify_all();
  }

  std::size_t first_not_taken() const { return next_; }
  bool gave_up() const { return failures_allowed_ && failures_ > *failures_allowed_; }

 private:
  bool exhausted() const { return next_ == hosts_ || gave_up(); }

  std::size_t hosts_;
  const std::stop_token& drain_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::size_t batch_ = 0, batch_end_ = 0, next_ = 0, running_ = 0, failures_ = 0;
  std::optional<std::size_t> failures_allowed_;
};

class Tally {
 public:
  void count(HostState state) {
    const std::lock_guard lock(mutex_);
    switch (state) {
      case HostState::ok:
        ++counts_.ok;
        break;
      case HostState::failed:
        ++counts_.failed;
        break;
      case HostState::unreachable:
        ++counts_.unreachable;
        break;
      case HostState::timeout:
        ++counts_.timeout;
        break;
      case HostState::skipped:
        ++counts_.skipped;
        break;
    }
  }
  FleetCounts counts() const { return counts_; }

 private:
  std::mutex mutex_;
  FleetCounts counts_;
};

// What goes wrong in showing a host's output is that host's failure too.
HostReport work_on(std::size_t host, const HostTask& task, RunObserver& observer) {
  HostReport report;
  const auto start = base::Clock::now();
  try {
    const auto output = observer.started(host);
    report = task(host, *output);
    report.host = host;
    report.duration = std::chrono::duration_cast<std::chrono::milliseconds>(base::Clock::now() - start);
    output->finished(report);
  } catch (const std::exception& e) {
    report.host = host;
    report.state = HostState::failed;
    report.error = e.what();
    observer.skipped(report);
  }
  return report;
}

void work(HostQueue& queue, Tally& tally, const HostTask& task, RunObserver& observer) {
  while (const auto host = queue.take()) {
    const HostReport report = work_on(*host, task, observer);
    tally.count(report.state);
    queue.done(report.state);
  }
}

}  // namespace

const char* name_of(HostState state) {
  switch (state) {
    case HostState::ok:
      return "ok";
    case HostState::failed:
      return "failed";
    case HostState::unreachable:
      return "unreachable";
    case HostState::timeout:
      return "timeout";
    case HostState::skipped:
      return "skipped";
  }
  return "";
}

FleetCounts run_fleet(std::size_t hosts, const FleetOptions& options, const HostTask& task, RunObserver& observer,
                      const std::stop_token& drain) {
  HostQueue queue(hosts, options, drain);
  Tally tally;
  {
    std::vector<std::jthread> threads;
    const auto count = std::min(static_cast<std::size_t>(options.fanout), hosts);
    try {
      while (threads.size() < count) threads.emplace_back([&] { work(queue, tally, task, observer); });
    } catch (const std::system_error& e) {
      // The machine allows no more threads: those that are there do the work.
      if (threads.empty()) throw Error(Code::io, std::string("start a thread: ") + e.what());
    }
  }
  for (std::size_t host = queue.first_not_taken(); host < hosts; ++host) {
    const HostReport report{
        .host = host,
        .state = HostState::skipped,
        .status = {},
        .signal = {},
        .error = queue.gave_up() ? "not started: too many hosts failed" : "not started: interrupted",
        .note = {}};
    observer.skipped(report);
    tally.count(HostState::skipped);
  }
  return tally.counts();
}

int bounded_fanout(std::optional<int> wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::getrlimit(RLIMIT_NOFILE, &limit);
  }
  const auto descriptors = static_cast<long>(std::min(limit.rlim_cur, kMostDescriptors));
  const long by_descriptors = (descriptors - kDescriptorsKept) / kDescriptorsPerHost;
  const long by_processors = std::max(64L, 16L * static_cast<long>(std::thread::hardware_concurrency()));
  return static_cast<int>(std::max(1L, std::min(wanted ? *wanted : by_processors, by_descriptors)));
}

void prepare_process_for_many_threads() {
  ::mallopt(M_ARENA_MAX, 4);               // NOLINT(concurrency-mt-unsafe): before any thread
  ::mallopt(M_TRIM_THRESHOLD, 256 << 10);  // NOLINT(concurrency-mt-unsafe)
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, kStackBytes);
  ::pthread_setattr_default_np(&attributes);
  ::pthread_attr_destroy(&attributes);
}

}  // namespace muster::ssh
