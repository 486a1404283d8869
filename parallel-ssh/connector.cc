#include "parallel-ssh/connector.h"

#include "base/error.h"
#include "base/quantity.h"
#include "parallel-ssh/dialer.h"

namespace muster::ssh {
namespace {

using base::Clock;
using base::Code;
using base::Error;

constexpr int kDroppedAttempts = 6;
constexpr std::chrono::milliseconds kFirstPause{100};

// What makes one login there another than the next: one user's targets must not travel on another's session, nor those
// with a pinned key over a jump host that somebody else did not check.
std::string login_key(const Target& target) {
  std::string key;
  const auto add = [&key](const std::string& part) { key += std::to_string(part.size()) + ":" + part; };
  const auto add_all = [&](const std::vector<std::string>& parts) {
    add(std::to_string(parts.size()));
    for (const auto& part : parts) add(part);
  };
  for (const auto& jump : target.jumps) add(login_key(jump));
  add(target.route());
  add(target.session.user);
  add(target.host_key_name + " " + std::to_string(target.host_key_port));
  add(std::to_string(static_cast<int>(target.host_key_mode)) + (target.only_these_identities ? " only" : ""));
  add_all(target.pinned_host_keys);
  add_all(target.known_hosts_files);
  add_all(target.identity_files);
  add(target.agent_socket);
  add(target.bind_address);
  add(target.password.value_or(""));
  return key;
}

base::UniqueFd open_through(JumpLine& line, const Target& target, const Patience& patience) {
  try {
    return line.open(target.address, target.session.port, patience);
  } catch (const Error& e) {
    throw Error(e.code(), std::string(e.what()) + " (through jump host " + target.jumps.back().name + ")");
  }
}

}  // namespace

std::shared_ptr<JumpLine> Connector::jump_line(const base::Context& ctx, const Target& target) {
  if (target.jumps.empty()) return nullptr;
  Target jump = target.jumps.back();
  jump.jumps.assign(target.jumps.begin(), target.jumps.end() - 1);
  return jumps_.line(login_key(jump), jump.route(), [&] { return connect(ctx, jump); });
}

std::unique_ptr<Session> Connector::greeted_session(const base::Context& ctx, const Target& target,
                                                    Patience& patience) {
  for (int attempt = 0;; ++attempt) {
    // The jump host has its own connect timeout; the target's clock starts when it can be tried.
    const auto line = jump_line(ctx, target);
    if (attempt == 0) patience.deadline = Clock::now() + target.connect_timeout;
    base::UniqueFd socket = line ? open_through(*line, target, patience)
                                 : dial(resolver_.resolve(target.address, target.session.port, target.family, patience),
                                        target.bind_address, patience);
    SessionOptions options = target.session;
    if (options.host_key_algorithms.empty()) options.host_key_algorithms = host_keys_.algorithms(ctx, target);
    auto session = std::make_unique<Session>(std::move(socket), options);
    switch (session->greet(patience)) {
      case Session::Greeting::ssh:
        return session;
      case Session::Greeting::penalised:
        admission_.penalised(target.route());
        throw Error(Code::unreachable, penalty_text());
      case Session::Greeting::too_many_startups:
      case Session::Greeting::dropped:
        break;
    }
    session.reset();
    if (attempt + 1 == kDroppedAttempts)
      throw Error(Code::unreachable, "connection dropped before the server's banner, " +
                                         std::to_string(kDroppedAttempts) + " times (sshd's MaxStartups?)");
    pause_until(Clock::now() + jittered_pause(kFirstPause, attempt), patience,
                "waiting to connect again: dropped before the banner");
  }
}

std::unique_ptr<Session> Connector::connect(const base::Context& ctx, const Target& target) {
  // First: a passphrase may have to be asked for, or a slow agent waited for, and that is not the host's time.
  const Credentials credentials = keys_.credentials(target);
  const auto place = admission_.enter(target.route(), cancel_);
  Patience patience{Clock::now() + target.connect_timeout, &cancel_};
  try {
    auto session = greeted_session(ctx, target, patience);
    session->exchange_keys(patience);
    host_keys_.verify(ctx, target, session->server_key());
    session->authenticate(credentials, patience);
    return session;
  } catch (const Error& e) {
    if (e.code() != Code::timeout) throw;
    throw Error(Code::unreachable,
                std::string(e.what()) + " (connect timeout " + base::format_duration(target.connect_timeout) + ")");
  }
}

}  // namespace muster::ssh
