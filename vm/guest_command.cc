#include "vm/guest_command.h"

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/error.h"
#include "base/quantity.h"
#include "virt/guest_agent.h"
#include "vm/polling.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

constexpr std::chrono::seconds kAnswerPatience{5};
constexpr std::size_t kMaxOutputBytes = 65536;

json ask(const virt::Domain& domain, const json& command) {
  const json answer = json::parse(virt::agent_command(domain, command.dump(), kAnswerPatience), nullptr, false);
  if (!answer.is_object() || !answer.contains("return"))
    throw Error(Code::unsupported, "the agent of '" + domain.name() + "' answers what cannot be understood");
  return answer["return"];
}

std::string decoded(const json& answer, const char* field) {
  return base::base64_decode(answer.value(field, "")).value_or("").substr(0, kMaxOutputBytes);
}

json start(const virt::Domain& domain, const std::vector<std::string>& argv) {
  const json arguments = {
      {"path", argv.at(0)}, {"arg", std::vector<std::string>(argv.begin() + 1, argv.end())}, {"capture-output", true}};
  try {
    return ask(domain, {{"execute", "guest-exec"}, {"arguments", arguments}}).at("pid");
  } catch (const Error& e) {
    if (e.code() == Code::cancelled) throw;
    throw Error(Code::unsupported, e.what());
  }
}

}  // namespace

GuestResult run_in_guest(const base::Context& ctx, const virt::Domain& domain, const std::vector<std::string>& argv,
                         std::chrono::seconds patience) {
  const json query = {{"execute", "guest-exec-status"}, {"arguments", {{"pid", start(domain, argv)}}}};
  json answer;
  const auto ended = [&] {
    answer = ask(domain, query);
    return answer.value("exited", false);
  };
  if (!wait_until(ctx, base::Clock::now() + patience, ended))
    throw Error(Code::timeout, "'" + argv.at(0) + "' in '" + domain.name() + "' does not end within " +
                                   base::format_duration(patience));
  return {.status = answer.value("exitcode", -1), .output = decoded(answer, "out-data") + decoded(answer, "err-data")};
}

}  // namespace muster::vm
