#include "vm/stop.h"

#include "base/error.h"
#include "base/quantity.h"
#include "virt/guest_agent.h"
#include "virt/lifecycle.h"
#include "vm/polling.h"

namespace muster::vm {
namespace {

using base::Clock;
using base::Code;
using base::Error;

constexpr std::chrono::seconds kAgentPatience{3};
constexpr std::chrono::seconds kAskAgain{10};

// Asked through the agent first: it cannot be missed. What cannot be asked is left to the deadline.
void ask(const base::Context& ctx, const virt::Domain& domain) {
  try {
    if (virt::agent_connected(domain) && virt::agent_answers(domain, kAgentPatience))
      return virt::ask_to_shut_down(domain, virt::Ask::agent);
  } catch (const Error&) {
    // An agent that went away; the button is next.
  }
  try {
    virt::ask_to_shut_down(domain, virt::Ask::driver);
  } catch (const Error& e) {
    if (domain.active()) ctx.note(e.what());
  }
}

void pull(const virt::Domain& domain) {
  try {
    virt::power_off(domain);
  } catch (const Error&) {
    if (domain.active()) throw;  // else it went by itself just then
  }
}

}  // namespace

StopOutcome stop(const base::Context& ctx, const virt::Domain& domain, const StopOptions& options) {
  if (!domain.active()) return StopOutcome::was_off;
  const auto deadline = Clock::now() + options.grace;
  // A paused guest hears nothing.
  const bool deaf = domain.state() == virt::State::paused || domain.state() == virt::State::crashed;
  while (!deaf && Clock::now() < deadline) {
    ask(ctx, domain);
    if (wait_until(ctx, std::min(deadline, Clock::now() + kAskAgain), [&] { return !domain.active(); }))
      return StopOutcome::shut_down;
  }
  if (!options.may_force)
    throw Error(deaf ? Code::refused : Code::timeout,
                "'" + domain.name() + "' " +
                    (deaf ? "is paused and cannot be asked to shut down: resume it first"
                          : "did not shut down within " + base::format_duration(options.grace)));
  pull(domain);
  return StopOutcome::forced;
}

}  // namespace muster::vm
