#include "cli/host_logins.h"

#include <thread>

#include "base/error.h"
#include "cli/connect_options.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

constexpr std::chrono::seconds kPause{1};
constexpr std::chrono::seconds kLeastOfOneTry{20};

}  // namespace

HostLogins::HostLogins(const Program& program)
    : program_(program),
      config_(load_ssh_config(program)),
      resolution_(connect_options(program), config_, [](const std::string&) { return std::nullopt; }),
      abort_(program.interrupts.abort()),
      keys_(passphrase_on_terminal(program)),
      connector_(abort_, host_keys_, keys_),
      runner_(program.ctx, connector_, host_keys_, abort_, 0) {}

HostLogins::Answer HostLogins::run_once(const inventory::ConnectionFacts& facts, const std::string& command,
                                        base::TimePoint deadline) {
  ssh::RunRequest request;
  request.command.command = command;
  auto answer = ask(facts, std::move(request), deadline);
  if (answer.error) throw Error(*answer.error);
  return {.status = *answer.status, .output = std::move(answer.output)};
}

CommandAnswer HostLogins::ask(const inventory::ConnectionFacts& facts, ssh::RunRequest request,
                              base::TimePoint deadline) {
  const auto target = resolution_.resolve(facts);
  const auto left = std::max(std::chrono::duration_cast<std::chrono::milliseconds>(deadline - base::Clock::now()),
                             std::chrono::milliseconds(kLeastOfOneTry));
  request.clocks.total = std::min(request.clocks.total.value_or(left), left);
  return ask_host(runner_, target, request);
}

HostLogins::Answer HostLogins::run(const inventory::ConnectionFacts& facts, const std::string& command,
                                   base::TimePoint deadline) {
  for (;;) {
    program_.ctx.check_stop();
    try {
      return run_once(facts, command, deadline);
    } catch (const Error& e) {
      // A guest that comes up answers before it lets anybody in.
      if (e.code() == Code::cancelled || base::Clock::now() + kPause > deadline) throw;
    }
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace muster::cli
