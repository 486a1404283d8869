// From a Target to a session that is logged in: name, TCP or jump host, greeting, key exchange, host key, login, within
// the target's connect timeout. Connections that an sshd drops before its banner are tried again, with jitter, within
// the same time. Thread-safe.
#pragma once

#include <memory>

#include "base/context.h"
#include "parallel-ssh/admission.h"
#include "parallel-ssh/host_key_check.h"
#include "parallel-ssh/jump_host.h"
#include "parallel-ssh/key_store.h"
#include "parallel-ssh/resolver.h"
#include "parallel-ssh/target.h"

namespace muster::ssh {

class Connector {
 public:
  // Connections to one address that have not logged in yet; below sshd's MaxStartups of 10.
  static constexpr int kUnauthenticatedPerEndpoint = 8;

  Connector(const CancelSignal& cancel, HostKeyCheck& host_keys, KeyStore& keys)
      : cancel_(cancel), host_keys_(host_keys), keys_(keys), admission_(kUnauthenticatedPerEndpoint), jumps_(cancel) {}

  // Throws base::Error{unreachable (also when the time is up), refused (host key), key (login), cancelled}. `ctx` takes
  // warnings.
  std::unique_ptr<Session> connect(const base::Context& ctx, const Target& target);

 private:
  std::shared_ptr<JumpLine> jump_line(const base::Context& ctx, const Target& target);
  std::unique_ptr<Session> greeted_session(const base::Context& ctx, const Target& target, Patience& patience);

  const CancelSignal& cancel_;
  HostKeyCheck& host_keys_;
  KeyStore& keys_;
  Resolver resolver_;
  Admission admission_;
  JumpHosts jumps_;
};

}  // namespace muster::ssh
