#include "parallel-ssh/target_resolution.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/quantity.h"

namespace muster::ssh {
namespace {

using base::Code;
using base::Error;

constexpr int kMaxJumpDepth = 8;

template <typename T>
std::optional<T> first_of(const std::optional<T>& a, const std::optional<T>& b) {
  return a ? a : b;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(separator, start), text.size());
    if (end > start) parts.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

std::string joined(const std::vector<std::string>& parts) { return fmt::format("{}", fmt::join(parts, ", ")); }

HostKeyMode mode_of(HostKeyPolicy policy) {
  switch (policy) {
    case HostKeyPolicy::accept_new:
    // To look the other way silently is never on offer: `no` still refuses a key that has changed.
    case HostKeyPolicy::no:
      return HostKeyMode::accept_new;
    case HostKeyPolicy::ask:
    case HostKeyPolicy::yes:
      return HostKeyMode::strict;
  }
  return HostKeyMode::strict;
}

}  // namespace

std::string Target::route() const {
  std::string text;
  for (const auto& jump : jumps) text += jump.address + ":" + std::to_string(jump.session.port) + ">";
  return text + address + ":" + std::to_string(session.port);
}

Destination parse_destination(const std::string& text) {
  std::string rest = text.starts_with("ssh://") ? text.substr(6) : text;
  Destination destination;
  if (const std::size_t at = rest.rfind('@'); at != std::string::npos) {
    destination.user = rest.substr(0, at);
    rest.erase(0, at + 1);
    if (destination.user->empty()) throw Error(Code::usage, "jump host '" + text + "' names no user before the @");
  }
  std::optional<std::string> port;
  if (rest.starts_with("[")) {
    const std::size_t end = rest.find(']');
    if (end == std::string::npos) throw Error(Code::usage, "jump host '" + text + "': the bracket is not closed");
    if (rest.size() > end + 1) {
      if (rest[end + 1] != ':') throw Error(Code::usage, "jump host '" + text + "': write a port as [address]:port");
      port = rest.substr(end + 2);
    }
    destination.host = rest.substr(1, end - 1);
  } else {
    const std::size_t colon = rest.find(':');
    const bool one_colon = colon != std::string::npos && rest.find(':', colon + 1) == std::string::npos;
    if (one_colon) port = rest.substr(colon + 1);
    destination.host = one_colon ? rest.substr(0, colon) : rest;
  }
  if (port)
    destination.port = static_cast<std::uint16_t>(base::parse_integer(*port, 1, 65535, "port of jump host " + text));
  if (destination.host.empty()) throw Error(Code::usage, "jump host '" + text + "' names no host");
  return destination;
}

TargetResolution::TargetResolution(ConnectOptions options, const SshConfig& config, FindHost find_host)
    : options_(std::move(options)), config_(config), find_host_(std::move(find_host)) {}

std::string TargetResolution::expanded(const std::string& path) const {
  return path == "~" || path.starts_with("~/") ? options_.home + path.substr(1) : path;
}

Target TargetResolution::resolve(const inventory::ConnectionFacts& facts) const {
  const auto user = first_of(options_.user, facts.user);
  const auto port = first_of(options_.port, facts.port);
  const HostConfig config = look_up(facts, user, port);
  const SshArguments arguments = parse_ssh_arguments(facts.ssh_args);
  Target target = destination(facts, config, arguments);
  if (const auto list = first_of(facts.proxy_jump, config.proxy_jump); list && *list != "none")
    target.jumps = jumps(*list, 0);
  choose_transport(target, facts, config, arguments);
  return target;
}

// A host with an address has two names, and users write ssh_config for either: Ansible's go by the address, their own
// fingers by the inventory's name.
HostConfig TargetResolution::look_up(const inventory::ConnectionFacts& facts, const std::optional<std::string>& user,
                                     std::optional<std::uint16_t> port) const {
  return facts.address ? config_.lookup(*facts.address, user, port, facts.name)
                       : config_.lookup(facts.name, user, port);
}

Target TargetResolution::destination(const inventory::ConnectionFacts& facts, const HostConfig& config,
                                     const SshArguments& arguments) const {
  Target target;
  target.name = facts.name;
  target.address = config.hostname.value_or(facts.address.value_or(facts.name));
  target.session.host = target.address;
  target.session.port = first_of(first_of(options_.port, facts.port), config.port).value_or(22);
  target.session.user = first_of(first_of(options_.user, facts.user), config.user).value_or(options_.local_user);
  target.session.key_exchange = config.kex_algorithms.value_or("");
  target.session.ciphers = config.ciphers.value_or("");
  target.session.macs = config.macs.value_or("");
  target.session.host_key_algorithms = config.host_key_algorithms.value_or("");
  target.session.public_key_algorithms = config.pubkey_accepted_algorithms.value_or("");
  target.session.compression = first_of(arguments.compression, config.compression).value_or(false);
  target.family = config.address_family;
  target.bind_address = config.bind_address.value_or("");
  if (options_.connect_timeout)
    target.connect_timeout = *options_.connect_timeout;
  else if (config.connect_timeout)
    target.connect_timeout = *config.connect_timeout;
  target.password = first_of(options_.password, facts.password);
  target.become = {facts.become.enabled, facts.become.user.value_or("root"), facts.become.password};
  if (facts.become.enabled && facts.become.method)
    target.refusal = "ansible_become_method '" + *facts.become.method + "': only sudo can be done";
  choose_identities(target, facts, config, arguments);
  choose_host_keys(target, facts, config, arguments);
  return target;
}

void TargetResolution::choose_identities(Target& target, const inventory::ConnectionFacts& facts,
                                         const HostConfig& config, const SshArguments& arguments) const {
  const std::string agent = config.identity_agent.value_or(options_.agent_socket);
  if (agent != "none") target.agent_socket = agent;
  std::vector<std::string> explicit_files = options_.key_files;
  if (explicit_files.empty() && facts.identity_file) explicit_files = {*facts.identity_file};
  const auto identities_only = first_of(arguments.identities_only, config.identities_only);
  target.only_these_identities = !explicit_files.empty() || identities_only.value_or(false);
  if (!explicit_files.empty()) {
    for (const auto& file : explicit_files) target.identity_files.push_back(expanded(file));
  } else if (config.identity_files) {
    target.identity_files = *config.identity_files;
  } else {
    for (const char* file : {"id_ed25519", "id_ecdsa", "id_rsa"})
      target.identity_files.push_back(options_.home + "/.ssh/" + file);
  }
}

void TargetResolution::choose_host_keys(Target& target, const inventory::ConnectionFacts& facts,
                                        const HostConfig& config, const SshArguments& arguments) const {
  target.host_key_name = config.host_key_alias.value_or(target.address);
  target.host_key_port = config.host_key_alias ? std::uint16_t{22} : target.session.port;
  target.pinned_host_keys = facts.host_keys;
  if (options_.host_key_mode)
    target.host_key_mode = *options_.host_key_mode;
  else if (const auto policy = first_of(arguments.strict_host_key_checking, config.strict_host_key_checking))
    target.host_key_mode = mode_of(*policy);
  const auto& named = options_.known_hosts_files.empty() ? arguments.known_hosts_files : options_.known_hosts_files;
  if (!named.empty()) {
    for (const auto& file : named) target.known_hosts_files.push_back(expanded(file));
    return;
  }
  const std::string ssh = options_.home + "/.ssh/";
  target.known_hosts_files =
      config.user_known_hosts_files.value_or(std::vector<std::string>{ssh + "known_hosts", ssh + "known_hosts2"});
  const auto global = config.global_known_hosts_files.value_or(
      std::vector<std::string>{"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"});
  target.known_hosts_files.insert(target.known_hosts_files.end(), global.begin(), global.end());
}

void TargetResolution::choose_transport(Target& target, const inventory::ConnectionFacts& facts,
                                        const HostConfig& config, const SshArguments& arguments) const {
  std::vector<std::string> reasons = config.needs_openssh;
  if (config.forward_agent.value_or(false)) reasons.emplace_back("ForwardAgent");
  if (!arguments.needs_openssh.empty()) reasons.push_back("ansible_ssh_args " + arguments.needs_openssh);
  target.openssh_args = facts.ssh_args;
  target.ssh_config_file = options_.ssh_config_file;
  // The client sees one name only; what the other one brought is said on its command line.
  target.ssh_config_host = facts.name;
  if (config.proxy_command)
    target.openssh_args.insert(target.openssh_args.end(), {"-o", "ProxyCommand=" + *config.proxy_command});
  for (const auto& file : config.certificate_files)
    target.openssh_args.insert(target.openssh_args.end(), {"-o", "CertificateFile=\"" + file + "\""});
  target.transport_fixed = options_.transport != Transport::automatic;
  for (const auto& jump : target.jumps)
    if (!jump.transport_reason.empty()) reasons.push_back(jump.transport_reason + " (jump host " + jump.name + ")");
  target.transport_reason = joined(reasons);
  if (facts.connection) target.refusal = "ansible_connection '" + *facts.connection + "' is not ssh";
  if (options_.transport == Transport::openssh || (options_.transport == Transport::automatic && !reasons.empty()))
    target.transport = Transport::openssh;
  else if (!reasons.empty())
    target.refusal = "its configuration asks for " + target.transport_reason +
                     ", which only OpenSSH's client can do: leave out --transport libssh";
  if (target.transport == Transport::openssh && target.password)
    target.refusal = "OpenSSH's client takes no password from us: use a key";
}

std::vector<Target> TargetResolution::jumps(const std::string& list, int depth) const {
  if (depth == kMaxJumpDepth) throw Error(Code::usage, "jump hosts '" + list + "' go in a circle");
  std::vector<Target> targets;
  for (const auto& text : split(list, ',')) {
    std::vector<Target> before;
    Target next = jump(text, depth, before);
    // A jump host's own jump hosts matter for the first only: the others are reached through the one before.
    if (targets.empty()) targets = std::move(before);
    targets.push_back(std::move(next));
  }
  return targets;
}

Target TargetResolution::jump(const std::string& text, int depth, std::vector<Target>& before) const {
  const Destination written = parse_destination(text);
  inventory::ConnectionFacts facts;
  if (auto known = find_host_(written.host))
    facts = *known;
  else
    facts.name = written.host;
  if (written.user) facts.user = written.user;
  if (written.port) facts.port = written.port;
  const HostConfig config = look_up(facts, facts.user, facts.port);
  // --user and --port are about the hosts, not about what lies on the way.
  TargetResolution on_the_way = *this;
  on_the_way.options_.user.reset();
  on_the_way.options_.port.reset();
  Target target = on_the_way.destination(facts, config, parse_ssh_arguments(facts.ssh_args));
  target.refusal.clear();
  target.transport_reason = joined(config.needs_openssh);
  if (const auto list = first_of(facts.proxy_jump, config.proxy_jump); list && *list != "none")
    before = jumps(*list, depth + 1);
  return target;
}

}  // namespace muster::ssh
