#include "cli/clone_orders.h"

#include <array>
#include <set>

#include <arpa/inet.h>
#include <fmt/format.h>

#include "base/error.h"
#include "base/quantity.h"
#include "inventory/host_range.h"
#include "vm/seed_files.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

bool is_host_name(const std::string& name) {
  constexpr std::size_t kMaxLabel = 63;
  constexpr std::string_view kNotAtEnds = "-.";
  if (name.empty() || name.size() > kMaxLabel || name.find("..") != std::string::npos) return false;
  if (kNotAtEnds.find(name.front()) != std::string_view::npos || kNotAtEnds.find(name.back()) != std::string_view::npos)
    return false;
  return name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") ==
         std::string::npos;
}

std::vector<std::string> names_of(const VerbCommand& command) {
  std::vector<std::string> names;
  for (std::size_t i = 1; i < command.words.size(); ++i)
    for (auto& name : inventory::expand_ranges(command.words[i], inventory::RangeSyntax::both))
      names.push_back(std::move(name));
  if (names.size() > kMaxClones)
    throw Error(Code::usage, fmt::format("{} machines are more than {} at once", names.size(), kMaxClones));
  std::set<std::string> seen;
  for (const auto& name : names) {
    if (!is_host_name(name))
      throw Error(Code::usage, "'" + name +
                                   "' cannot be a machine's and its guest's name: write letters, digits, - and "
                                   ". of at most 63 characters");
    if (!seen.insert(name).second) throw Error(Code::usage, "'" + name + "' is named twice");
  }
  return names;
}

bool is_address(const std::string& text, int family) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return ::inet_pton(family, text.c_str(), bytes.data()) == 1;
}

bool is_address(const std::string& text) { return is_address(text, AF_INET) || is_address(text, AF_INET6); }

void check_fixed(const Settings& settings, const std::string& address) {
  const std::size_t slash = address.find('/');
  const std::string host = address.substr(0, slash);
  const int most = is_address(host, AF_INET6) ? 128 : 32;
  const std::string length = slash == std::string::npos ? "" : address.substr(slash + 1);
  const bool counted = !length.empty() && length.size() <= 3 &&
                       length.find_first_not_of("0123456789") == std::string::npos && std::stoi(length) <= most;
  if (!is_address(host) || !counted)
    settings.reject("address", "'" + address + "' is no address with the length of its network, as 10.0.0.11/24");
}

std::vector<std::string> fixed_addresses(const Settings& settings, std::size_t wanted) {
  const auto text = settings.text("address");
  if (!text) return {};
  auto addresses = inventory::expand_ranges(*text, inventory::RangeSyntax::both);
  if (addresses.size() != wanted)
    settings.reject("address", fmt::format("these are {} addresses, for {} machines", addresses.size(), wanted));
  std::set<std::string> seen;
  for (const auto& address : addresses) {
    check_fixed(settings, address);
    if (!seen.insert(address).second) settings.reject("address", address + " is there twice");
  }
  return addresses;
}

void check_with_address(const Settings& settings) {
  for (const char* option : {"gateway", "dns"}) {
    if (!settings.given(option)) continue;
    if (!settings.given("address")) settings.reject(option, "it goes with --address: DHCP brings its own");
    for (const auto& address : settings.list(option))
      if (!is_address(address)) settings.reject(option, "'" + address + "' is no address");
  }
}

clone::CloneKind kind_of(const Settings& settings) {
  auto kind = clone::CloneKind::automatic;
  for (const auto one : {clone::CloneKind::linked, clone::CloneKind::reflink, clone::CloneKind::full}) {
    if (!settings.flag(clone::name_of(one))) continue;
    if (kind != clone::CloneKind::automatic)
      throw Error(Code::usage,
                  fmt::format("--{} and --{}: write one of them", clone::name_of(kind), clone::name_of(one)));
    kind = one;
  }
  return kind;
}

std::vector<clone::WantedClone> machines_of(const VerbCommand& command) {
  const Settings& settings = command.program.settings;
  const auto names = names_of(command);
  const auto addresses = fixed_addresses(settings, names.size());
  std::vector<clone::WantedClone> machines;
  for (std::size_t i = 0; i < names.size(); ++i) {
    clone::WantedClone machine{.name = names[i]};
    if (!addresses.empty())
      machine.fixed = clone::StaticAddress{.address = addresses[i],
                                           .gateway = settings.text("gateway").value_or(""),
                                           .name_servers = settings.list("dns")};
    machines.push_back(std::move(machine));
  }
  return machines;
}

}  // namespace

clone::CloneRequest clone_request_of(const VerbCommand& command) {
  const Settings& settings = command.program.settings;
  if (settings.given_now("limit")) settings.reject("limit", "there is nothing to choose from: name what is to be made");
  if (command.words.size() < 2)
    throw Error(Code::usage, "write muster clone create MASTER NAME..., as in muster clone create web 'web[01-50]'");
  check_with_address(settings);
  clone::CloneRequest request{.master = clone::parse_master_name(command.words.front()), .kind = kind_of(settings)};
  request.machines = machines_of(command);
  const auto expected = settings.integer("expect", 0, 1'000'000'000);
  if (expected && static_cast<std::size_t>(*expected) != request.machines.size())
    throw Error(Code::refused, fmt::format("{} machines are named, not the {} of --expect; nothing was done",
                                           request.machines.size(), *expected));
  request.pool = settings.text("pool").value_or("");
  if (const auto cpus = settings.integer("cpus", 1, vm::MachineRequest::kMaxCpus))
    request.cpus = static_cast<unsigned>(*cpus);
  if (const auto memory = settings.text("memory")) request.memory_bytes = base::parse_size(*memory);
  if (const auto size = settings.text("size")) request.size_bytes = base::parse_size(*size);
  for (const auto& network : settings.list("network")) {
    request.networks.push_back(vm::parse_network(network));
    if (!request.networks.back().mac.empty())
      settings.reject("network", "a MAC address is one machine's: --mac-prefix says what those of clones begin with");
  }
  request.give_host_keys = settings.flag("seed-host-key");
  request.autostart = settings.flag("autostart");
  request.mac_prefix = settings.text("mac-prefix").value_or("");
  const auto seed = vm::read_seed({.host_name = {},
                                   .public_keys = settings.list("ssh-key"),
                                   .user_data = settings.text("user-data").value_or(""),
                                   .network_config = {}});
  if (seed) {
    request.ssh_keys = seed->ssh_keys;
    request.user_data = seed->user_data;
  }
  request.user = settings.text("user").value_or(request.user);
  return request;
}

}  // namespace muster::cli
