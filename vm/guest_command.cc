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

[[noreturn]] void throw_nonsense() {
  throw Error(Code::unsupported, "the guest agent answers what cannot be understood");
}

// An object; each field that is asked of it may be missing, or of another kind.
json returned(const std::string& answer) {
  const json parsed = json::parse(answer, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("return") || !parsed["return"].is_object()) throw_nonsense();
  return parsed["return"];
}

std::string decoded(const json& answer, const char* field) {
  const auto found = answer.find(field);
  if (found == answer.end() || !found->is_string()) return "";
  return base::base64_decode(found->get<std::string>()).value_or("").substr(0, kMaxOutputBytes);
}

std::string ask(const virt::Domain& domain, const json& command) {
  return virt::agent_command(domain, command.dump(-1, ' ', false, json::error_handler_t::replace), kAnswerPatience);
}

std::int64_t start(const virt::Domain& domain, const std::vector<std::string>& argv) {
  const json arguments = {
      {"path", argv.at(0)}, {"arg", std::vector<std::string>(argv.begin() + 1, argv.end())}, {"capture-output", true}};
  try {
    return started_process(ask(domain, {{"execute", "guest-exec"}, {"arguments", arguments}}));
  } catch (const Error& e) {
    if (e.code() == Code::cancelled) throw;
    throw Error(Code::unsupported, e.what());
  }
}

}  // namespace

std::int64_t started_process(const std::string& answer) {
  const json fields = returned(answer);
  const auto pid = fields.find("pid");
  if (pid == fields.end() || !pid->is_number_integer()) throw_nonsense();
  return *pid;
}

std::optional<GuestResult> ended_process(const std::string& answer) {
  const json fields = returned(answer);
  const auto exited = fields.find("exited"), code = fields.find("exitcode");
  if (exited == fields.end() || !exited->is_boolean()) throw_nonsense();
  if (!exited->get<bool>()) return std::nullopt;
  if (code != fields.end() && !code->is_number_integer()) throw_nonsense();
  return GuestResult{.status = code == fields.end() ? -1 : code->get<int>(),
                     .output = decoded(fields, "out-data") + decoded(fields, "err-data")};
}

GuestResult run_in_guest(const base::Context& ctx, const virt::Domain& domain, const std::vector<std::string>& argv,
                         std::chrono::seconds patience) {
  const json query = {{"execute", "guest-exec-status"}, {"arguments", {{"pid", start(domain, argv)}}}};
  std::optional<GuestResult> result;
  const auto ended = [&] {
    result = ended_process(ask(domain, query));
    return result.has_value();
  };
  if (!wait_until(ctx, base::Clock::now() + patience, ended))
    throw Error(Code::timeout, "'" + argv.at(0) + "' in '" + domain.name() + "' does not end within " +
                                   base::format_duration(patience));
  return *result;
}

}  // namespace muster::vm
