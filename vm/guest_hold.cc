#include "vm/guest_hold.h"

#include <limits>

#include "base/error.h"
#include "base/quantity.h"
#include "virt/guest_agent.h"
#include "virt/lifecycle.h"
#include "virt/metadata.h"
#include "vm/host_word.h"

namespace muster::vm {
namespace {

using base::Clock;
using base::Code;
using base::Context;
using base::Error;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kAgentPatience{3};
constexpr std::chrono::seconds kLeftoverThawPatience{30};
constexpr std::chrono::seconds kLongestHold{600};
// A part of the metadata while the guest is held.
constexpr const char* kHeldPart = "held-by-backup";

std::int64_t now_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Another host's hold is no leftover before it has lasted longer than any does.
void check_not_held_elsewhere(const virt::Domain& domain, const virt::MetadataElement& held) {
  const std::string host = held.attribute("host"), since = held.attribute("since");
  if (host.empty() || host == host_word()) return;
  const std::int64_t began = base::parse_integer(since, 0, std::numeric_limits<std::int64_t>::max(), "time of a hold");
  if (now_s() - began < kLongestHold.count())
    throw Error(Code::busy, "a backup of '" + domain.name() + "' from another host holds it just now");
}

}  // namespace

GuestHold::GuestHold(const Context& ctx, const virt::Domain& domain, const HoldRequest& request)
    : ctx_(ctx), domain_(domain), request_(request) {
  freeze();
  if (!frozen_ && request.pause && domain.state() == virt::State::running) {
    note("paused");
    // Where that fails, the guest may be paused: the note stays.
    paused_ = std::make_unique<PausedGuest>(domain, request.resume_watchdog);
    began_ = paused_->began();
  }
}

GuestHold::~GuestHold() {
  if (frozen_ || paused_) end_hold();
}

std::pair<std::string, milliseconds> GuestHold::end() {
  const bool held = frozen_ || paused_;
  std::string word = frozen_ ? "filesystem" : paused_ ? "paused" : "crash";
  const bool in_time = !held || (end_hold() && Clock::now() - began_ <= request_.budget);
  const auto took = held ? std::chrono::duration_cast<milliseconds>(Clock::now() - began_) : milliseconds();
  if (!in_time) {
    ctx_.warn("'" + domain_.name() + "' went on before its disks were taken: they are as after a power cut");
    word = "crash";
  }
  return {word, took};
}

void GuestHold::note(const std::string& how) {
  virt::put_metadata_part(
      domain_,
      {.name = kHeldPart, .attributes = {{"hold", how}, {"host", host_word()}, {"since", std::to_string(now_s())}}});
}

void GuestHold::drop_note() {
  try {
    virt::drop_metadata_part(domain_, kHeldPart);
  } catch (const Error& e) {
    ctx_.warn(e.what());
  }
}

bool GuestHold::end_hold() {
  bool until_now = false;
  try {
    until_now = frozen_ ? frozen_->thaw() : paused_->resume();
    drop_note();
  } catch (const Error& e) {
    ctx_.warn(e.what());
  }
  frozen_.reset();
  paused_.reset();
  return until_now;
}

void GuestHold::freeze() {
  if (request_.freeze == Freeze::none) return;
  bool noted = false;
  try {
    if (!virt::agent_answers(domain_, kAgentPatience))
      throw Error(Code::unsupported, "the guest of '" + domain_.name() + "' cannot be frozen: no agent answers");
    note("frozen");
    noted = true;
    frozen_ = std::make_unique<FrozenGuest>(domain_, request_.budget, request_.thaw_watchdog);
    began_ = frozen_->began();
  } catch (const Error& e) {
    // A freeze that failed is thawed, or watched.
    if (noted) drop_note();
    if (request_.freeze == Freeze::required) throw Error(Code::refused, e.what());
    if (e.code() != Code::unsupported) ctx_.warn(e.what());
  }
}

void end_left_hold(const Context& ctx, const virt::Domain& domain) {
  const auto held = virt::metadata_part(domain, kHeldPart);
  if (!held) return;
  check_not_held_elsewhere(domain, *held);
  if (domain.active() && held->attribute("hold") == "frozen") {
    ctx.warn("'" + domain.name() + "' was left frozen by a backup that was killed: it is thawed");
    thaw_within(ctx, domain, kLeftoverThawPatience);
  }
  if (held->attribute("hold") == "paused" && domain.state() == virt::State::paused) {
    ctx.warn("'" + domain.name() + "' was left paused by a backup that was killed: it goes on");
    virt::resume(domain);
  }
  virt::drop_metadata_part(domain, kHeldPart);
}

}  // namespace muster::vm
