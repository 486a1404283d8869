// Decides whether a server is who it should be: pinned keys of the inventory first, then known_hosts, then the policy
// for unknown keys. Each set of known_hosts files is read once. Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/context.h"
#include "parallel-ssh/host_key.h"
#include "parallel-ssh/known_hosts.h"
#include "parallel-ssh/session.h"
#include "parallel-ssh/target.h"

namespace muster::ssh {

class HostKeyCheck {
 public:
  // The algorithms to ask the server for, comma-separated: those of the keys we know of it first, so that it shows one
  // we can check.
  std::string algorithms(const base::Context& ctx, const Target& target);

  // known_hosts has no key for it, only a certificate authority, which libssh cannot use.
  bool needs_certificate(const base::Context& ctx, const Target& target);

  // Throws base::Error{refused}, saying what was expected, what came, and what to do. A revoked key, and one that is
  // not the pinned one, are refused in every mode. Under `accept_new` an unknown key is written to the first of the
  // target's known_hosts files.
  void verify(const base::Context& ctx, const Target& target, const ServerKey& key);

 private:
  const KnownHosts& known_hosts(const base::Context& ctx, const std::vector<std::string>& files);
  void accept(const base::Context& ctx, const Target& target, const ServerKey& key);

  std::mutex mutex_;
  std::map<std::vector<std::string>, std::unique_ptr<const KnownHosts>> read_;
  std::map<std::string, ServerKey> accepted_;  // in this run, by `name:port`
};

}  // namespace muster::ssh
