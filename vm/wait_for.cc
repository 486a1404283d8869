#include "vm/wait_for.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/quantity.h"
#include "virt/addresses.h"
#include "virt/guest_agent.h"
#include "vm/polling.h"
#include "vm/port_answer.h"

namespace muster::vm {
namespace {

using base::Clock;
using base::Code;
using base::Error;
using std::chrono::milliseconds;
using Kind = Milestone::Kind;

constexpr std::chrono::seconds kAgentPatience{2};
// How long one try may take; a guest that just comes up drops what is sent to it.
constexpr milliseconds kTry{2000};
constexpr milliseconds kLeast{100};

class Wait {
 public:
  Wait(const base::Context& ctx, const virt::Domain& domain, const Milestone& milestone, milliseconds patience)
      : ctx_(ctx), domain_(domain), milestone_(milestone), deadline_(Clock::now() + patience) {}

  bool until_there() {
    return wait_until(ctx_, deadline_, [this] { return there(); });
  }
  const std::string& address() const { return address_; }
  const std::string& missing() const { return missing_; }

 private:
  bool there() {
    if (milestone_.kind == Kind::off) return needs(!domain_.active(), "is not off");
    if (milestone_.kind == Kind::running) return needs(domain_.state() == virt::State::running, "is not running");
    if (!domain_.exists()) throw Error(Code::not_found, "'" + domain_.name() + "' is there no more");
    if (!domain_.active())
      throw Error(Code::refused, "'" + domain_.name() + "' is off: start it, or wait for --for running first");
    if (milestone_.kind == Kind::agent)
      return needs(virt::agent_connected(domain_) && virt::agent_answers(domain_, kAgentPatience),
                   "has no guest agent that answers");
    if (milestone_.kind == Kind::ip) return has_address();
    return answers();
  }

  bool needs(bool there, const char* otherwise) {
    missing_ = otherwise;
    return there;
  }

  bool has_address() {
    const auto found = virt::addresses(domain_);
    if (!found.empty()) address_ = found.front().address;
    return needs(!found.empty(), "has no address that is known");
  }

  bool answers() {
    std::vector<Endpoint> endpoints;
    if (!milestone_.host.empty()) endpoints.push_back({.host = milestone_.host, .port = milestone_.number});
    if (milestone_.host.empty())
      for (auto& known : virt::all_addresses(domain_))
        endpoints.push_back({.host = std::move(known.address), .port = milestone_.number});
    if (endpoints.empty()) return needs(false, "has no address that is known");
    const auto left = std::chrono::duration_cast<milliseconds>(deadline_ - Clock::now());
    // A try without time would only forget why the one before came to nothing.
    if (left < kLeast && !missing_.empty()) return false;
    const bool ssh = milestone_.kind == Kind::ssh;
    const auto came = knock(ctx_, endpoints, ssh ? Answer::ssh : Answer::accepts, std::clamp(left, kLeast, kTry));
    address_ = came.host.value_or("");
    missing_ = std::string(ssh ? "has no SSH server that answers" : "accepts nothing") + " on port " +
               std::to_string(milestone_.number) + " (" + came.complaint + ")";
    return came.host.has_value();
  }

  const base::Context& ctx_;
  const virt::Domain& domain_;
  const Milestone& milestone_;
  base::TimePoint deadline_;
  std::string address_, missing_;
};

}  // namespace

std::string wait_for(const base::Context& ctx, const virt::Domain& domain, const Milestone& milestone,
                     milliseconds patience) {
  Wait wait(ctx, domain, milestone, patience);
  if (!wait.until_there())
    throw Error(Code::timeout,
                "'" + domain.name() + "' " + wait.missing() + " after " + base::format_duration(patience));
  return wait.address();
}

}  // namespace muster::vm
