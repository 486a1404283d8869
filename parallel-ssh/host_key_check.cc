#include "parallel-ssh/host_key_check.h"

#include <algorithm>
#include <filesystem>

#include <sys/stat.h>

#include "base/durable_file.h"
#include "base/error.h"

namespace muster::ssh {
namespace {

using base::Code;
using base::Error;

std::string known_as(const Target& target) {
  return target.host_key_port == 22 ? target.host_key_name
                                    : "[" + target.host_key_name + "]:" + std::to_string(target.host_key_port);
}

// A key of type ssh-rsa signs with SHA-2 nowadays.
std::string algorithms_of_type(const std::string& type) {
  return type == "ssh-rsa" ? "rsa-sha2-512,rsa-sha2-256" : type;
}

std::string place(const KnownKey& key) { return key.file + ":" + std::to_string(key.line); }

const KnownKey* find(const std::vector<KnownKey>& keys, const ServerKey& key) {
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const KnownKey& k) { return k.blob == key.blob; });
  return found == keys.end() ? nullptr : &*found;
}

void verify_pins(const Target& target, const ServerKey& key) {
  for (const auto& text : target.pinned_host_keys)
    if (parse_host_key(text).matches(key.blob)) return;
  throw Error(Code::refused,
              "host key " + fingerprint(key.blob) + " (" + key.type +
                  ") is not the one pinned in the inventory (host_key): it changed, or is somebody else's");
}

// What is known of the target. A key of the plain name counts for its other ports too, as it does for OpenSSH, if it is
// the one shown: another sshd on the same host has another key, which is no change.
HostKeys known_of(const KnownHosts& known_hosts, const Target& target) {
  HostKeys known = known_hosts.lookup(target.host_key_name, target.host_key_port);
  if (target.host_key_port == 22) return known;
  const HostKeys plain = known_hosts.lookup(target.host_key_name, 22);
  known.revoked.insert(known.revoked.end(), plain.revoked.begin(), plain.revoked.end());
  if (known.keys.empty()) known.keys = plain.keys;
  if (known.authorities.empty()) known.authorities = plain.authorities;
  return known;
}

}  // namespace

const KnownHosts& HostKeyCheck::known_hosts(const base::Context& ctx, const std::vector<std::string>& files) {
  const std::lock_guard lock(mutex_);
  auto& entry = read_[files];
  if (!entry) entry = std::make_unique<const KnownHosts>(KnownHosts::load(ctx, files));
  return *entry;
}

std::string HostKeyCheck::algorithms(const base::Context& ctx, const Target& target) {
  std::vector<std::string> types;
  if (target.pinned_host_keys.empty()) {
    for (const auto& key : known_of(known_hosts(ctx, target.known_hosts_files), target).keys) types.push_back(key.type);
  } else {
    for (const auto& text : target.pinned_host_keys) types.push_back(parse_host_key(text).type);
  }
  // The rest follows, so that a server that lost its key is told apart from one that cannot talk to us.
  for (const char* other :
       {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"})
    types.emplace_back(other);
  std::string list;
  for (const auto& type : types) {
    const std::string algorithms = algorithms_of_type(type);
    if (type.empty() || list.find(algorithms) != std::string::npos) continue;
    list += (list.empty() ? "" : ",") + algorithms;
  }
  return list;
}

bool HostKeyCheck::needs_certificate(const base::Context& ctx, const Target& target) {
  if (!target.pinned_host_keys.empty() || target.host_key_mode == HostKeyMode::none) return false;
  const HostKeys known = known_of(known_hosts(ctx, target.known_hosts_files), target);
  return known.keys.empty() && !known.authorities.empty();
}

void HostKeyCheck::verify(const base::Context& ctx, const Target& target, const ServerKey& key) {
  const KnownHosts& files = known_hosts(ctx, target.known_hosts_files);
  const HostKeys known = known_of(files, target);
  if (const KnownKey* revoked = find(known.revoked, key); revoked != nullptr)
    throw Error(Code::refused, "host key " + fingerprint(key.blob) + " is revoked (" + place(*revoked) + ")");
  if (!target.pinned_host_keys.empty()) return verify_pins(target, key);
  if (target.host_key_mode == HostKeyMode::none) return;
  if (find(known.keys, key) != nullptr) return;
  if (const auto own = files.lookup(target.host_key_name, target.host_key_port).keys; !own.empty())
    throw Error(Code::refused, "host key has changed: " + known_as(target) + " shows " + fingerprint(key.blob) + " (" +
                                   key.type + "), not the key at " + place(own.front()) +
                                   "; somebody may be in between, or it was installed anew: then remove that line "
                                   "(ssh-keygen -R '" +
                                   known_as(target) + "')");
  if (!known.authorities.empty())
    throw Error(Code::refused, "known_hosts has a certificate authority for " + known_as(target) +
                                   ", which only OpenSSH's client can check: use --transport openssh");
  if (target.host_key_mode == HostKeyMode::accept_new) return accept(ctx, target, key);
  throw Error(Code::refused, "host key of " + known_as(target) + " is not known: it shows " + fingerprint(key.blob) +
                                 " (" + key.type +
                                 "); pin it as host_key in the inventory, or let --host-keys accept-new learn it");
}

void HostKeyCheck::accept(const base::Context& ctx, const Target& target, const ServerKey& key) {
  const std::lock_guard lock(mutex_);
  const auto [entry, is_new] = accepted_.try_emplace(known_as(target), key);
  if (!is_new) {
    if (entry->second.blob == key.blob) return;
    throw Error(Code::refused, "host key of " + known_as(target) + " changed during this run");
  }
  if (target.known_hosts_files.empty() || target.known_hosts_files.front() == "/dev/null") return;
  const std::string& file = target.known_hosts_files.front();
  try {
    const auto directory = std::filesystem::path(file).parent_path();
    if (!directory.empty()) ::mkdir(directory.c_str(), 0700);  // ~/.ssh of a new user
    base::append_locked(file, known_hosts_line(target.host_key_name, target.host_key_port, key.type, key.blob));
  } catch (const Error& e) {
    ctx.warn("cannot keep the new host key of " + known_as(target) + ": " + e.what());
  }
}

}  // namespace muster::ssh
