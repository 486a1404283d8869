#include "vm/quiesce.h"

#include <array>
#include <cerrno>

#include <poll.h>
#include <unistd.h>

#include "base/error.h"
#include "virt/guest_agent.h"
#include "virt/lifecycle.h"
#include "virt/snapshot.h"
#include "vm/guest_care.h"
#include "vm/polling.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;

constexpr int kAgentSeconds = 5;
constexpr std::chrono::seconds kWatchPatience{10}, kStatusPatience{5};
constexpr int kTickMs = 100;

// One that has gone has nothing left to do.
void call_off(base::ChildProcess& watchdog) {
  [[maybe_unused]] const auto written = ::write(watchdog.standard_input().get(), "thawed\n", 7);
}

bool is_frozen(const virt::Domain& domain) {
  try {
    const std::string said = virt::agent_command(domain, R"({"execute":"guest-fsfreeze-status"})", kStatusPatience);
    return said.find("\"frozen\"") != std::string::npos;
  } catch (const Error&) {
    return false;  // what the freeze itself says tells more
  }
}

// Before the watchdog's time runs. What somebody else has frozen is not thawed by us.
const Watchdog& prepare_freeze(const virt::Domain& domain, const Watchdog& watchdog) {
  take_guest_over(domain.uuid());
  if (is_frozen(domain)) throw Error(Code::busy, "the guest of '" + domain.name() + "' is frozen by somebody else");
  return watchdog;
}

const Watchdog& prepare_pause(const virt::Domain& domain, const Watchdog& watchdog) {
  take_guest_over(domain.uuid());
  return watchdog;
}

// Nothing is held before somebody watches: one that is killed until then is killed with whoever started it.
void await_watching(base::ChildProcess& watchdog) {
  std::string said;
  const auto end = base::Clock::now() + kWatchPatience;
  while (said.find(kWatching) == std::string::npos && base::Clock::now() < end) {
    std::array<char, 64> piece{};
    pollfd p{.fd = watchdog.standard_output().get(), .events = POLLIN, .revents = 0};
    if (::poll(&p, 1, kTickMs) <= 0) continue;
    const ssize_t n = ::read(p.fd, piece.data(), piece.size());
    if (n > 0) said.append(piece.data(), static_cast<std::size_t>(n));
    const bool ended = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
    if (ended) throw Error(Code::io, "nobody is there to watch over the guest: its watchdog has ended");
  }
  if (said.find(kWatching) != std::string::npos) return;
  call_off(watchdog);
  throw Error(Code::timeout, "nobody is there to watch over the guest: its watchdog does not start");
}

}  // namespace

FrozenGuest::FrozenGuest(const virt::Domain& domain, std::chrono::seconds patience, const Watchdog& watchdog)
    : domain_(domain), patience_(patience), watchdog_(prepare_freeze(domain, watchdog)) {
  await_watching(watchdog_);
  began_ = base::Clock::now();
  try {
    virt::freeze_file_systems(domain, static_cast<int>(patience.count()));
  } catch (const Error& e) {
    // Without an agent nothing was frozen; another may have frozen some, or will when it gets to it.
    if (e.code() == Code::unsupported && !virt::agent_connected(domain)) {
      call_off(watchdog_);
      throw;
    }
    try {
      thaw();
    } catch (const Error&) {
      // What went wrong first is what is told.
    }
    throw;
  }
}

FrozenGuest::~FrozenGuest() {
  try {
    thaw();
  } catch (const Error&) {
    // The watchdog, which was not called off, has it now.
  }
}

bool FrozenGuest::thaw() {
  if (!frozen_) return true;
  const bool was_frozen = virt::thaw_file_systems(domain_, static_cast<int>(patience_.count())) > 0;
  frozen_ = false;
  call_off(watchdog_);
  return was_frozen;
}

PausedGuest::PausedGuest(const virt::Domain& domain, const Watchdog& watchdog)
    : domain_(domain), watchdog_(prepare_pause(domain, watchdog)) {
  await_watching(watchdog_);
  began_ = base::Clock::now();
  try {
    virt::pause(domain);
  } catch (const Error& e) {
    // Only of one that was never paused is it known that it runs: an answer may have been lost.
    if (e.code() == Code::refused) call_off(watchdog_);
    throw;
  }
}

PausedGuest::~PausedGuest() {
  try {
    resume();
  } catch (const Error&) {
    // The watchdog has it now.
  }
}

bool PausedGuest::resume() {
  if (!paused_) return true;
  const bool was_paused = domain_.state() == virt::State::paused;
  if (was_paused) virt::resume(domain_);
  paused_ = false;
  call_off(watchdog_);
  return was_paused;
}

int thaw_within(const base::Context& ctx, const virt::Domain& domain, std::chrono::seconds patience) {
  std::string complaint;
  int count = 0;
  const auto thawed = [&] {
    try {
      count = virt::thaw_file_systems(domain, kAgentSeconds);
      return true;
    } catch (const Error& e) {
      if (e.code() == Code::unreachable) throw;
      complaint = e.what();
      return false;
    }
  };
  if (!wait_until(ctx, base::Clock::now() + patience, thawed))
    throw Error(Code::timeout, "the guest of '" + domain.name() + "' may still be frozen: " + complaint);
  return count;
}

}  // namespace muster::vm
