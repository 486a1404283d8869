#include "vm/wait_for.h"

#include "base/error.h"
#include "base/quantity.h"
#include "virt/addresses.h"
#include "virt/guest_agent.h"
#include "vm/polling.h"

namespace muster::vm {
namespace {

using base::Clock;
using base::Code;
using base::Error;

constexpr std::chrono::seconds kAgentPatience{2};

const char* words_for(Milestone::Kind kind) {
  switch (kind) {
    case Milestone::Kind::running:
      return "is not running";
    case Milestone::Kind::off:
      return "is not off";
    case Milestone::Kind::ip:
      return "has no address that is known";
    case Milestone::Kind::agent:
      return "has no guest agent that answers";
  }
  return "";
}

}  // namespace

std::string wait_for(const base::Context& ctx, const virt::Domain& domain, Milestone milestone,
                     std::chrono::milliseconds patience) {
  std::string address;
  const auto there = [&] {
    if (milestone.kind == Milestone::Kind::off) return !domain.active();
    if (milestone.kind == Milestone::Kind::running) return domain.state() == virt::State::running;
    if (!domain.active())
      throw Error(Code::refused, "'" + domain.name() + "' is off: start it, or wait for --for running first");
    if (milestone.kind == Milestone::Kind::agent)
      return virt::agent_connected(domain) && virt::agent_answers(domain, kAgentPatience);
    const auto found = virt::addresses(domain);
    if (!found.empty()) address = found.front().address;
    return !found.empty();
  };
  if (!wait_until(ctx, Clock::now() + patience, there))
    throw Error(Code::timeout,
                "'" + domain.name() + "' " + words_for(milestone.kind) + " after " + base::format_duration(patience));
  return address;
}

}  // namespace muster::vm
