#include "vm/quiesce.h"

#include "base/error.h"
#include "virt/guest_agent.h"
#include "virt/lifecycle.h"
#include "virt/snapshot.h"
#include "vm/care.h"
#include "vm/polling.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;

constexpr int kAgentSeconds = 5;
constexpr std::chrono::seconds kStatusPatience{5};

std::string guest_of(const virt::Domain& domain) { return "the guest of '" + domain.name() + "'"; }

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
  take_over(Charge::guest, domain.uuid());
  if (is_frozen(domain)) throw Error(Code::busy, "the guest of '" + domain.name() + "' is frozen by somebody else");
  return watchdog;
}

const Watchdog& prepare_pause(const virt::Domain& domain, const Watchdog& watchdog) {
  take_over(Charge::guest, domain.uuid());
  return watchdog;
}

}  // namespace

FrozenGuest::FrozenGuest(const virt::Domain& domain, std::chrono::seconds patience, const Watchdog& watchdog)
    : domain_(domain), patience_(patience), watchdog_(prepare_freeze(domain, watchdog)) {
  watchdog_.await(guest_of(domain));
  began_ = base::Clock::now();
  try {
    virt::freeze_file_systems(domain, static_cast<int>(patience.count()));
  } catch (const Error& e) {
    // Without an agent nothing was frozen; another may have frozen some, or will when it gets to it.
    if (e.code() == Code::unsupported && !virt::agent_connected(domain)) {
      watchdog_.call_off();
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
  watchdog_.call_off();
  return was_frozen;
}

PausedGuest::PausedGuest(const virt::Domain& domain, const Watchdog& watchdog)
    : domain_(domain), watchdog_(prepare_pause(domain, watchdog)) {
  watchdog_.await(guest_of(domain));
  began_ = base::Clock::now();
  try {
    virt::pause(domain);
  } catch (const Error& e) {
    // Only of one that was never paused is it known that it runs: an answer may have been lost.
    if (e.code() == Code::refused) watchdog_.call_off();
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
  watchdog_.call_off();
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
