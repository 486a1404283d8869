#include "parallel-ssh/ssh_arguments.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.h"

namespace muster::ssh {
namespace {

constexpr std::array<std::string_view, 12> kWithoutEffect = {
    "batchmode", "controlmaster", "controlpath",         "controlpersist",      "forwardx11",   "forwardx11trusted",
    "loglevel",  "requesttty",    "serveralivecountmax", "serveraliveinterval", "tcpkeepalive", "visualhostkey"};

std::optional<HostKeyPolicy> policy_of(const std::string& value) {
  if (value == "yes") return HostKeyPolicy::yes;
  if (value == "ask") return HostKeyPolicy::ask;
  if (value == "accept-new") return HostKeyPolicy::accept_new;
  if (value == "no" || value == "off") return HostKeyPolicy::no;
  return std::nullopt;
}

// One `Keyword=value` or `Keyword value`. False: not understood.
bool take_option(const std::string& option, SshArguments& found) {
  const std::size_t end = option.find_first_of("= \t");
  const std::size_t start = option.find_first_not_of("= \t", end);
  if (start == std::string::npos) return false;
  const std::string keyword = base::lower_case(option.substr(0, end)), value = option.substr(start);
  const bool yes = base::lower_case(value) == "yes", no = base::lower_case(value) == "no";
  if (keyword == "stricthostkeychecking") {
    // ssh takes the first value of an option.
    if (!found.strict_host_key_checking) found.strict_host_key_checking = policy_of(base::lower_case(value));
    return found.strict_host_key_checking.has_value();
  }
  if (keyword == "userknownhostsfile") {
    if (found.known_hosts_files.empty()) found.known_hosts_files = base::words_of(value);
    return value.find_first_of("\"'%$") == std::string::npos;
  }
  if (keyword == "identitiesonly" && (yes || no)) {
    if (!found.identities_only) found.identities_only = yes;
    return true;
  }
  if (keyword == "compression" && (yes || no)) {
    if (!found.compression) found.compression = yes;
    return true;
  }
  if (keyword.starts_with("forwardx11")) return no;
  return std::find(kWithoutEffect.begin(), kWithoutEffect.end(), keyword) != kWithoutEffect.end();
}

}  // namespace

SshArguments parse_ssh_arguments(const std::vector<std::string>& arguments) {
  SshArguments found;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    std::string option;
    if (argument == "-C") {
      found.compression = true;
      continue;
    }
    if (argument == "-q" || argument == "-T" || argument == "-x") continue;
    if (argument == "-o" && i + 1 < arguments.size())
      option = arguments[++i];
    else if (argument.starts_with("-o"))
      option = argument.substr(2);
    if (!option.empty() && take_option(option, found)) continue;
    if (found.needs_openssh.empty()) found.needs_openssh = option.empty() ? argument : "-o " + option;
  }
  return found;
}

}  // namespace muster::ssh
