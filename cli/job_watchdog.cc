#include "cli/job_watchdog.h"

#include <array>
#include <chrono>
#include <optional>

#include <poll.h>
#include <unistd.h>

#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/watchdog_life.h"
#include "vm/care.h"
#include "vm/job_guard.h"

namespace muster::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kTick{250};
// The guest's state is a call to libvirtd.
constexpr std::chrono::seconds kStateInterval{1};
// A network, or a libvirtd, may be away for long.
constexpr std::chrono::hours kPatience{24};
constexpr std::chrono::minutes kHurry{15};
constexpr std::chrono::seconds kInterval{1}, kSlowInterval{30};

enum class Word { none, called_off, orphaned, taken_over };

class JobWatchdog {
 public:
  explicit JobWatchdog(const std::vector<std::string>& words)
      : uri_(words[0]),
        uuid_(words[1]),
        runs_(words[2] == "runs"),
        job_{.mark = words[3], .directories = {words.begin() + 4, words.end()}},
        care_(vm::Charge::job, uuid_) {}

  int watch() {
    if (!say_watching()) return 0;
    for (auto looked = Clock::now();;) {
      const Word word = wait();
      if (word == Word::called_off || word == Word::taken_over) return 0;
      if (word == Word::orphaned) return end_job() ? 0 : 1;
      std::string why = vm::complaint_of_room(job_.directories);
      if (why.empty() && Clock::now() - looked >= kStateInterval) {
        looked = Clock::now();
        if (runs_ && stands_still()) why = "there was no room for what the guest overwrites meanwhile";
      }
      if (!why.empty()) return end_and_say(why) ? 0 : 1;
    }
  }

 private:
  Word wait() {
    std::array<pollfd, 2> ready{pollfd{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0},
                                pollfd{.fd = care_.fd(), .events = POLLIN, .revents = 0}};
    if (::poll(ready.data(), ready.size(), static_cast<int>(kTick.count())) <= 0) return Word::none;
    if (ready[1].revents != 0 && care_.taken_over_within(std::chrono::milliseconds(0))) return Word::taken_over;
    if (ready[0].revents == 0) return Word::none;
    char byte = 0;
    return ::read(STDIN_FILENO, &byte, 1) == 1 ? Word::called_off : Word::orphaned;
  }

  virt::Domain domain() {
    if (!connection_ || !connection_->alive()) connection_ = virt::Connection(uri_);
    return connection_->domain(uuid_);
  }

  bool stands_still() {
    try {
      return vm::stands_still(domain());
    } catch (const base::Error&) {
      return false;  // asked again
    }
  }

  // False: nobody came to know that it ended.
  bool end_job() {
    for (const auto began = Clock::now(); Clock::now() < began + kPatience;) {
      try {
        const auto machine = domain();
        if (machine.active()) vm::end_guarded_job(machine, job_);
        return true;
      } catch (const base::Error& e) {
        if (e.code() == base::Code::not_found) return true;
      }
      if (care_.taken_over_within(Clock::now() < began + kHurry ? kInterval : kSlowInterval)) return true;
    }
    return false;
  }

  // Said first: what reads the disks fails with the job, and asks why.
  bool end_and_say(const std::string& why) {
    try {
      base::write_all(STDOUT_FILENO, why + "\n");
    } catch (const base::Error&) {
      // It ends all the same.
    }
    return end_job();
  }

  const std::string uri_, uuid_;
  const bool runs_;
  const vm::GuardedJob job_;
  vm::Care care_;
  std::optional<virt::Connection> connection_;  // made when it is needed: most jobs are short
};

}  // namespace

std::vector<std::string> job_watchdog_command(const JobWatch& watch) {
  return {"/proc/self/exe", "--guard", watch.uri, watch.domain, watch.runs ? "runs" : "stands"};
}

int guard_job(const std::vector<std::string>& words) {
  if (words.size() < 4) return 2;
  if (!go_on_alone()) return 0;
  return JobWatchdog(words).watch();
}

}  // namespace muster::cli
