#include "cli/guest_watchdog.h"

#include <fstream>
#include <optional>
#include <thread>

#include <poll.h>
#include <unistd.h>

#include "base/error.h"
#include "base/quantity.h"
#include "base/unique_fd.h"
#include "virt/connection.h"
#include "virt/lifecycle.h"
#include "vm/guest_care.h"
#include "vm/quiesce.h"

namespace muster::cli {
namespace {

using std::chrono::seconds;

constexpr std::chrono::minutes kThawPatience{5};
constexpr std::chrono::minutes kPatience{15};
constexpr std::chrono::seconds kRetryInterval{1};
constexpr seconds kLatePause{5};
constexpr std::int64_t kMaxBudgetSeconds = 3600;

bool called_off(seconds budget) {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(budget).count();
  char byte = 0;
  return ::poll(&input, 1, static_cast<int>(wait)) == 1 && ::read(STDIN_FILENO, &byte, 1) == 1;
}

// A service that is stopped, or a session that ends, is killed by its control group: into the root of systemd's
// hierarchy, where we may. Elsewhere it stays as it is.
void leave_control_group() {
  for (const char* root :
       {"/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/systemd/cgroup.procs", "/sys/fs/cgroup/unified/cgroup.procs"}) {
    std::ofstream procs(root, std::ios::in);  // never made
    if (procs) procs << ::getpid() << std::flush;
  }
}

std::optional<virt::Connection> connected(const std::string& uri) {
  try {
    return virt::Connection(uri);
  } catch (const base::Error&) {
    return std::nullopt;  // tried again when it is needed
  }
}

// Whether it was held until now.
bool go_on(const virt::Domain& domain, Hold hold) {
  if (hold == Hold::frozen) return vm::thaw_within({}, domain, kThawPatience) > 0;
  if (domain.state() != virt::State::paused) return false;
  virt::resume(domain);
  return true;
}

// Until it went on from a hold, somebody else holds it, or no hold can come any more.
void look_after(const virt::Domain& domain, Hold hold) {
  if (go_on(domain, hold)) return;
  const vm::GuestCare care(domain.uuid());
  // A pause is no agent's work: it comes at once. A user may pause it, too.
  const seconds window = hold == Hold::frozen ? vm::kLateHold : kLatePause;
  try {
    for (const auto end = std::chrono::steady_clock::now() + window; std::chrono::steady_clock::now() < end;)
      if (care.taken_over_within(kRetryInterval) || go_on(domain, hold)) return;
  } catch (const base::Error&) {
    // The daemon is gone, and what waited in it.
  }
}

}  // namespace

std::vector<std::string> watchdog_command(const GuestWatch& watch) {
  return {"/proc/self/exe",
          "--watch",
          watch.uri,
          watch.domain,
          watch.hold == Hold::frozen ? "frozen" : "paused",
          std::to_string(watch.budget.count())};
}

int watch_guest(const std::vector<std::string>& words) {
  if (words.size() != 4) return 2;
  const Hold hold = words[2] == "paused" ? Hold::paused : Hold::frozen;
  const seconds budget(base::parse_integer(words[3], 0, kMaxBudgetSeconds, "number of seconds"));
  // The group that was made for it ends with whoever started it.
  if (::fork() != 0) return 0;
  ::setsid();
  leave_control_group();
  // Opened before it is needed: then there may be no way to open one.
  std::optional<virt::Connection> connection = connected(words[0]);
  base::write_all(STDOUT_FILENO, vm::kWatching);
  if (called_off(budget)) return 0;
  // libvirtd may be down just now.
  for (const auto end = std::chrono::steady_clock::now() + kPatience; std::chrono::steady_clock::now() < end;) {
    try {
      if (!connection || !connection->alive()) connection = virt::Connection(words[0]);
      look_after(connection->domain(words[1]), hold);
      return 0;
    } catch (const base::Error& e) {
      if (e.code() == base::Code::not_found) return 0;
      std::this_thread::sleep_for(kRetryInterval);
    }
  }
  return 1;  // nobody is left to be told
}

}  // namespace muster::cli
