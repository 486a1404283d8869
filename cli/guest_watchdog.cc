#include "cli/guest_watchdog.h"

#include <optional>

#include <poll.h>
#include <unistd.h>

#include "base/error.h"
#include "base/quantity.h"
#include "cli/ssh_place.h"
#include "cli/watchdog_life.h"
#include "virt/connection.h"
#include "virt/lifecycle.h"
#include "virt/snapshot.h"
#include "vm/care.h"
#include "vm/quiesce.h"

namespace muster::cli {
namespace {

using std::chrono::seconds;

// A network, or a libvirtd, may be away for long.
constexpr std::chrono::hours kPatience{24};
constexpr std::chrono::minutes kHurry{15};
constexpr seconds kInterval{1}, kSlowInterval{30};
constexpr int kAgentSeconds = 5;
constexpr std::int64_t kMaxBudgetSeconds = 3600;

bool called_off(seconds budget) {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(budget).count();
  char byte = 0;
  return ::poll(&input, 1, static_cast<int>(wait)) == 1 && ::read(STDIN_FILENO, &byte, 1) == 1;
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
  if (hold == Hold::frozen) return virt::thaw_file_systems(domain, kAgentSeconds) > 0;
  if (domain.state() != virt::State::paused) return false;
  virt::resume(domain);
  return true;
}

// Until it went on from a hold, somebody else holds it, it is off, or no hold can come any more. False: none of that
// came to be known.
bool look_after(const std::string& uri, const std::string& uuid, Hold hold,
                std::optional<virt::Connection> connection) {
  using Clock = std::chrono::steady_clock;
  vm::Care care(vm::Charge::guest, uuid);
  const seconds window = is_of_this_host(uri) ? vm::kLateHold : vm::kFarLateHold;
  std::optional<Clock::time_point> late;
  for (const auto began = Clock::now(); Clock::now() < began + kPatience;) {
    try {
      if (!connection || !connection->alive()) connection = virt::Connection(uri);
      const auto domain = connection->domain(uuid);
      if (!domain.active() || go_on(domain, hold)) return true;
      if (!late) late = Clock::now() + window;
      if (Clock::now() >= *late) return true;
    } catch (const base::Error& e) {
      if (e.code() == base::Code::not_found) return true;
    }
    if (care.taken_over_within(Clock::now() < began + kHurry ? kInterval : kSlowInterval)) return true;
  }
  return false;
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
  if (!go_on_alone()) return 0;
  // Opened before it is needed: then there may be no way to open one.
  std::optional<virt::Connection> connection = connected(words[0]);
  if (!say_watching() || called_off(budget)) return 0;
  return look_after(words[0], words[1], hold, std::move(connection)) ? 0 : 1;
}

}  // namespace muster::cli
