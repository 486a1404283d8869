#include "cli/job_watchdog.h"

#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include <poll.h>
#include <unistd.h>

#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/ssh_place.h"
#include "cli/watchdog_life.h"
#include "virt/connection.h"
#include "vm/care.h"
#include "vm/job_guard.h"

namespace muster::cli {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

constexpr std::chrono::milliseconds kTick{250};
// The guest's state is a call to libvirtd.
constexpr seconds kStateInterval{1};
// A network, or a libvirtd, may be away for long.
constexpr std::chrono::hours kPatience{24};
constexpr std::chrono::minutes kHurry{15};
constexpr seconds kInterval{1}, kSlowInterval{30};
// What is being done to the job may end before another takes over.
constexpr seconds kInTheMiddle{10};
constexpr int kListenMs = 1000;

// Two threads: one listens, and ends the process; the other looks after the job, and may hang in libvirt.
class JobWatchdog {
 public:
  explicit JobWatchdog(const std::vector<std::string>& words)
      : uri_(words[0]),
        uuid_(words[1]),
        stood_(words[2] == "stands"),
        mark_(words[3]),
        directories_(words.begin() + 4, words.end()) {}

  int watch() {
    // Whoever begins the job has taken it over from a former one before this was started.
    vm::Care care(vm::Charge::job, uuid_);
    if (!say_watching()) return 0;
    std::thread([this] { ::_exit(look_after() ? 0 : 1); }).detach();
    for (;;) listen(care);
  }

 private:
  void listen(vm::Care& care) {
    std::array<pollfd, 2> ready{pollfd{.fd = care.fd(), .events = POLLIN, .revents = 0},
                                pollfd{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0}};
    if (::poll(ready.data(), orphaned_ ? 1 : 2, kListenMs) <= 0) return;
    if (ready[0].revents != 0 && care.taken_over_within(std::chrono::milliseconds(0))) {
      // The other goes on once this process has ended.
      [[maybe_unused]] const bool between = acting_.try_lock_for(kInTheMiddle);
      ::_exit(0);
    }
    char byte = 0;
    if (ready[1].revents == 0) return;
    if (::read(STDIN_FILENO, &byte, 1) == 1) ::_exit(0);
    orphaned_ = true;
  }

  // False: nobody came to know that it ended.
  bool look_after() {
    for (auto looked = Clock::now(); !orphaned_; std::this_thread::sleep_for(kTick)) {
      std::string why = vm::complaint_of_room(directories_);
      if (why.empty() && Clock::now() - looked >= kStateInterval) {
        looked = Clock::now();
        if (stands_still()) why = "there was no room for what the guest overwrites meanwhile";
      }
      if (!why.empty() && ended_because(why)) return true;
    }
    return end_late();
  }

  virt::Domain domain() {
    if (!connection_ || !connection_->alive()) connection_ = virt::Connection(uri_);
    return connection_->domain(uuid_);
  }

  bool stands_still() {
    try {
      const bool stands = vm::stands_still(domain());
      stood_ = stood_ && stands;
      return stands && !stood_;
    } catch (const base::Error&) {
      return false;  // asked again
    }
  }

  // Whether it ran, and does not any more, and the guest goes on. Said first, by whoever wants to: what reads the disks
  // fails with the job, and asks why.
  bool end(const virt::Domain& machine, const std::string& why) {
    const std::lock_guard acting(acting_);
    const auto running = vm::find_job(machine, mark_);
    if (!running && !ending_) return false;
    if (!why.empty() && !ending_) say(why);
    ending_ = true;
    vm::end_job_and_go_on(machine, running.value_or(virt::RunningJob{}));
    return true;
  }

  bool ended_because(const std::string& why) {
    try {
      return end(domain(), why);
    } catch (const base::Error&) {
      return false;  // tried again
    }
  }

  static void say(const std::string& why) {
    try {
      base::write_all(STDOUT_FILENO, why + "\n");
    } catch (const base::Error&) {
      // Nobody hears it any more.
    }
  }

  // Of a worker that is dead: what it asked libvirtd for may begin later still.
  bool end_late() {
    const seconds window = is_of_this_host(uri_) ? vm::kLateHold : vm::kFarLateHold;
    std::optional<Clock::time_point> late;
    for (const auto began = Clock::now(); Clock::now() < began + kPatience;) {
      try {
        const auto machine = domain();
        if (!machine.active() || end(machine, "")) return true;
        if (!late) late = Clock::now() + window;
        if (Clock::now() >= *late) return true;
      } catch (const base::Error& e) {
        if (e.code() == base::Code::not_found) return true;
      }
      std::this_thread::sleep_for(Clock::now() < began + kHurry ? kInterval : kSlowInterval);
    }
    return false;
  }

  const std::string uri_, uuid_;
  bool stood_;  // since before the job
  const std::string mark_;
  const std::set<std::string> directories_;
  std::optional<virt::Connection> connection_;  // made when it is needed: most jobs are short
  bool ending_ = false;                         // it ran, and its end was tried
  std::timed_mutex acting_;
  std::atomic<bool> orphaned_ = false;
};

}  // namespace

std::vector<std::string> job_watchdog_command(const std::string& uri, const std::string& domain) {
  return {"/proc/self/exe", "--guard", uri, domain};
}

int guard_job(const std::vector<std::string>& words) {
  if (words.size() < 4) return 2;
  if (!go_on_alone()) return 0;
  return JobWatchdog(words).watch();
}

}  // namespace muster::cli
