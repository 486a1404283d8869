#include "parallel-ssh/ssh_config_keywords.h"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>

#include "base/error.h"
#include "base/quantity.h"
#include "base/text.h"

namespace muster::ssh {
namespace {

constexpr std::int64_t kLongest = 100LL * 365 * 86400;

constexpr KeywordRow kRows[] = {
    {"addkeystoagent", Keyword::ignored, ValueForm::any},
    {"addressfamily", Keyword::address_family, ValueForm::choice, "any inet inet6"},
    {"afstokenpassing", Keyword::unsupported, ValueForm::any},
    {"batchmode", Keyword::ignored, ValueForm::choice},
    {"bindaddress", Keyword::bind_address, ValueForm::word},
    {"bindinterface", Keyword::bind_interface, ValueForm::word},
    {"canonicaldomains", Keyword::ignored, ValueForm::any},
    {"canonicalizefallbacklocal", Keyword::ignored, ValueForm::choice},
    {"canonicalizehostname", Keyword::canonicalize_hostname, ValueForm::choice, "yes no always"},
    {"canonicalizemaxdots", Keyword::ignored, ValueForm::any},
    {"canonicalizepermittedcnames", Keyword::ignored, ValueForm::any},
    {"casignaturealgorithms", Keyword::ignored, ValueForm::word},
    {"certificatefile", Keyword::certificate_file, ValueForm::word},
    {"challengeresponseauthentication", Keyword::ignored, ValueForm::choice},
    {"channeltimeout", Keyword::ignored, ValueForm::any},
    {"checkhostip", Keyword::ignored, ValueForm::choice},
    {"cipher", Keyword::deprecated, ValueForm::any},
    {"ciphers", Keyword::ciphers, ValueForm::word},
    {"clearallforwardings", Keyword::ignored, ValueForm::choice},
    {"compression", Keyword::compression, ValueForm::choice},
    {"compressionlevel", Keyword::unsupported, ValueForm::any},
    {"connectionattempts", Keyword::connection_attempts, ValueForm::count},
    {"connecttimeout", Keyword::connect_timeout, ValueForm::seconds},
    {"controlmaster", Keyword::ignored, ValueForm::choice, "yes no ask auto autoask"},
    {"controlpath", Keyword::ignored, ValueForm::word},
    {"controlpersist", Keyword::ignored, ValueForm::word},
    {"dsaauthentication", Keyword::ignored, ValueForm::choice},
    {"dynamicforward", Keyword::ignored, ValueForm::any},
    {"enableescapecommandline", Keyword::ignored, ValueForm::choice},
    {"enablesshkeysign", Keyword::ignored, ValueForm::choice},
    {"escapechar", Keyword::ignored, ValueForm::word},
    {"exitonforwardfailure", Keyword::ignored, ValueForm::choice},
    {"fallbacktorsh", Keyword::deprecated, ValueForm::any},
    {"fingerprinthash", Keyword::ignored, ValueForm::word},
    {"forkafterauthentication", Keyword::ignored, ValueForm::choice},
    {"forwardagent", Keyword::forward_agent, ValueForm::word},
    {"forwardx11", Keyword::ignored, ValueForm::choice},
    {"forwardx11timeout", Keyword::ignored, ValueForm::any},
    {"forwardx11trusted", Keyword::ignored, ValueForm::choice},
    {"gatewayports", Keyword::ignored, ValueForm::choice},
    {"globalknownhostsfile", Keyword::global_known_hosts_file, ValueForm::words},
    {"globalknownhostsfile2", Keyword::deprecated, ValueForm::any},
    {"gssapiauthentication", Keyword::gssapi_authentication, ValueForm::choice},
    {"gssapiclientidentity", Keyword::ignored, ValueForm::any},
    {"gssapidelegatecredentials", Keyword::ignored, ValueForm::choice},
    {"gssapikexalgorithms", Keyword::ignored, ValueForm::any},
    {"gssapikeyexchange", Keyword::ignored, ValueForm::choice},
    {"gssapirenewalforcesrekey", Keyword::ignored, ValueForm::choice},
    {"gssapiserveridentity", Keyword::ignored, ValueForm::any},
    {"gssapitrustdns", Keyword::ignored, ValueForm::any},
    {"hashknownhosts", Keyword::hash_known_hosts, ValueForm::choice},
    {"host", Keyword::host, ValueForm::words},
    {"hostbasedacceptedalgorithms", Keyword::ignored, ValueForm::word},
    {"hostbasedauthentication", Keyword::hostbased_authentication, ValueForm::choice},
    {"hostbasedkeytypes", Keyword::ignored, ValueForm::word},
    {"hostkeyalgorithms", Keyword::host_key_algorithms, ValueForm::word},
    {"hostkeyalias", Keyword::host_key_alias, ValueForm::word},
    {"hostname", Keyword::hostname, ValueForm::word},
    {"identitiesonly", Keyword::identities_only, ValueForm::choice},
    {"identityagent", Keyword::identity_agent, ValueForm::word},
    {"identityfile", Keyword::identity_file, ValueForm::word},
    {"identityfile2", Keyword::identity_file, ValueForm::word},
    {"ignoreunknown", Keyword::ignore_unknown, ValueForm::word},
    {"include", Keyword::include, ValueForm::words},
    {"ipqos", Keyword::ignored, ValueForm::any},
    {"kbdinteractiveauthentication", Keyword::ignored, ValueForm::choice},
    {"kbdinteractivedevices", Keyword::ignored, ValueForm::any},
    {"keepalive", Keyword::ignored, ValueForm::choice},
    {"kerberosauthentication", Keyword::unsupported, ValueForm::any},
    {"kerberostgtpassing", Keyword::unsupported, ValueForm::any},
    {"kexalgorithms", Keyword::kex_algorithms, ValueForm::word},
    {"knownhostscommand", Keyword::known_hosts_command, ValueForm::command},
    {"localcommand", Keyword::ignored, ValueForm::command},
    {"localforward", Keyword::ignored, ValueForm::any},
    {"loglevel", Keyword::ignored, ValueForm::word},
    {"logverbose", Keyword::ignored, ValueForm::any},
    {"macs", Keyword::macs, ValueForm::word},
    {"match", Keyword::match, ValueForm::any},
    {"nohostauthenticationforlocalhost", Keyword::ignored, ValueForm::choice},
    {"numberofpasswordprompts", Keyword::ignored, ValueForm::word},
    {"obscurekeystroketiming", Keyword::ignored, ValueForm::any},
    {"passwordauthentication", Keyword::password_authentication, ValueForm::choice},
    {"permitlocalcommand", Keyword::ignored, ValueForm::choice},
    {"permitremoteopen", Keyword::ignored, ValueForm::any},
    {"pkcs11provider", Keyword::pkcs11_provider, ValueForm::word},
    {"port", Keyword::port, ValueForm::port},
    {"preferredauthentications", Keyword::preferred_authentications, ValueForm::word},
    {"protocol", Keyword::deprecated, ValueForm::any},
    {"proxycommand", Keyword::proxy_command, ValueForm::command},
    {"proxyjump", Keyword::proxy_jump, ValueForm::jump},
    {"proxyusefdpass", Keyword::proxy_use_fdpass, ValueForm::choice},
    {"pubkeyacceptedalgorithms", Keyword::pubkey_accepted_algorithms, ValueForm::word},
    {"pubkeyacceptedkeytypes", Keyword::pubkey_accepted_algorithms, ValueForm::word},
    {"pubkeyauthentication", Keyword::pubkey_authentication, ValueForm::choice, "yes no unbound host-bound"},
    {"rekeylimit", Keyword::ignored, ValueForm::any},
    {"remotecommand", Keyword::ignored, ValueForm::command},
    {"remoteforward", Keyword::ignored, ValueForm::any},
    {"requesttty", Keyword::ignored, ValueForm::choice, "yes no force auto"},
    {"requiredrsasize", Keyword::ignored, ValueForm::word},
    {"revokedhostkeys", Keyword::revoked_host_keys, ValueForm::word},
    {"rhostsauthentication", Keyword::deprecated, ValueForm::any},
    {"rhostsrsaauthentication", Keyword::unsupported, ValueForm::any},
    {"rsaauthentication", Keyword::unsupported, ValueForm::any},
    {"securitykeyprovider", Keyword::security_key_provider, ValueForm::word},
    {"sendenv", Keyword::ignored, ValueForm::any},
    {"serveralivecountmax", Keyword::server_alive_count_max, ValueForm::count},
    {"serveraliveinterval", Keyword::server_alive_interval, ValueForm::seconds},
    {"sessiontype", Keyword::ignored, ValueForm::choice, "none subsystem default"},
    {"setenv", Keyword::set_env, ValueForm::words},
    {"skeyauthentication", Keyword::ignored, ValueForm::choice},
    {"smartcarddevice", Keyword::pkcs11_provider, ValueForm::word},
    {"stdinnull", Keyword::ignored, ValueForm::choice},
    {"streamlocalbindmask", Keyword::ignored, ValueForm::word},
    {"streamlocalbindunlink", Keyword::ignored, ValueForm::choice},
    {"stricthostkeychecking", Keyword::strict_host_key_checking, ValueForm::choice, "yes no ask accept-new"},
    {"syslogfacility", Keyword::ignored, ValueForm::word},
    {"tag", Keyword::ignored, ValueForm::word},
    {"tcpkeepalive", Keyword::ignored, ValueForm::choice},
    {"tisauthentication", Keyword::ignored, ValueForm::choice},
    {"tunnel", Keyword::ignored, ValueForm::word},
    {"tunneldevice", Keyword::ignored, ValueForm::word},
    {"updatehostkeys", Keyword::ignored, ValueForm::choice, "yes no ask"},
    {"useprivilegedport", Keyword::deprecated, ValueForm::any},
    {"user", Keyword::user, ValueForm::word},
    {"userknownhostsfile", Keyword::user_known_hosts_file, ValueForm::words},
    {"userknownhostsfile2", Keyword::deprecated, ValueForm::any},
    {"useroaming", Keyword::deprecated, ValueForm::any},
    {"usersh", Keyword::deprecated, ValueForm::any},
    {"verifyhostkeydns", Keyword::verify_host_key_dns, ValueForm::choice, "yes no ask"},
    {"versionaddendum", Keyword::ignored, ValueForm::command},
    {"visualhostkey", Keyword::ignored, ValueForm::choice},
    {"warnweakcrypto", Keyword::ignored, ValueForm::any},
    {"xauthlocation", Keyword::ignored, ValueForm::word},
};

[[noreturn]] void reject(const KeywordRow& row, std::string_view value, std::string_view instead) {
  throw base::Error(base::Code::usage, fmt::format("bad value '{}' of {}; write {}", value, row.name, instead));
}

bool is_choice(std::string_view choices, std::string_view value) {
  while (!choices.empty()) {
    const auto end = std::min(choices.find(' '), choices.size());
    if (choices.substr(0, end) == value) return true;
    choices.remove_prefix(std::min(end + 1, choices.size()));
  }
  return false;
}

std::string check_choice(const KeywordRow& row, const std::string& value) {
  std::string choice = base::lower_case(value);
  if (is_choice(row.choices, "yes") && row.keyword != Keyword::compression) {  // which OpenSSH is stricter about
    if (choice == "true") choice = "yes";
    if (choice == "false" || (choice == "off" && row.keyword == Keyword::strict_host_key_checking)) choice = "no";
  }
  if (!is_choice(row.choices, choice)) reject(row, value, fmt::format("one of: {}", row.choices));
  return choice;
}

std::int64_t seconds_in(char unit) {
  switch (unit) {
    case 's':
    case 'S':
      return 1;
    case 'm':
    case 'M':
      return 60;
    case 'h':
    case 'H':
      return 3600;
    case 'd':
    case 'D':
      return 86400;
    case 'w':
    case 'W':
      return 7L * 86400;
    default:
      return 0;
  }
}

// sshd_config(5), TIME FORMATS: a sequence of numbers with units, seconds where there is none.
std::string check_seconds(const KeywordRow& row, const std::string& value) {
  if (value == "none") return value;
  std::int64_t total = 0;
  for (std::string_view rest = value; !rest.empty() || value.empty();) {
    const auto digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    const std::int64_t unit = digits == rest.size() ? 1 : seconds_in(rest[digits]);
    if (digits == 0 || digits > 10 || unit == 0) reject(row, value, "a duration like 90, 90s or 1m30s");
    total += base::parse_integer(rest.substr(0, digits), 0, INT32_MAX * 10LL, row.name) * unit;
    if (total > kLongest) reject(row, value, "a shorter duration");
    rest.remove_prefix(std::min(digits + 1, rest.size()));
  }
  return std::to_string(total);
}

std::string check_number(const KeywordRow& row, const std::string& value, std::int64_t lowest, std::int64_t highest) {
  const bool digits = !value.empty() && value.size() < 12 && value.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || std::stoll(value) < lowest || std::stoll(value) > highest)
    reject(row, value, fmt::format("a number from {} to {}", lowest, highest));
  return value;
}

std::string check_jump(const KeywordRow& row, const std::string& value) {
  if (base::lower_case(value) == "none") return "none";
  if (value.empty() || value.starts_with(',') || value.ends_with(',') || value.find(",,") != std::string::npos)
    reject(row, value, "hops as [user@]host[:port], with commas between");
  return value;
}

std::string check_one(const KeywordRow& row, const std::string& value) {
  switch (row.form) {
    case ValueForm::choice:
      return check_choice(row, value);
    case ValueForm::port:
      return check_number(row, value, 1, 65535);
    case ValueForm::seconds:
      return check_seconds(row, value);
    case ValueForm::count:
      return check_number(row, value, 0, INT32_MAX);
    case ValueForm::jump:
      return check_jump(row, value);
    default:
      return value;
  }
}

}  // namespace

const KeywordRow* find_keyword(std::string_view name) {
  static const auto kIndex = [] {
    std::unordered_map<std::string_view, const KeywordRow*> index;
    for (const auto& row : kRows) index.emplace(row.name, &row);
    return index;
  }();
  const auto found = kIndex.find(name);
  return found == kIndex.end() ? nullptr : found->second;
}

std::vector<std::string> check_values(const KeywordRow& row, std::vector<std::string> values) {
  if (row.form == ValueForm::any) return values;
  const auto usage = [&](std::string_view what) {
    return base::Error(base::Code::usage, fmt::format("{} {}", row.name, what));
  };
  if (values.empty() || values[0].empty()) throw usage("has no value; write one after it");
  if (row.form == ValueForm::words) {
    const bool lists_files = row.keyword == Keyword::user_known_hosts_file;
    if (lists_files && values.size() > 1 && std::any_of(values.begin(), values.end(), [](const std::string& value) {
          return base::lower_case(value) == "none";
        }))
      throw usage("has 'none' beside files; write one or the other");
    return values;
  }
  if (values.size() > 1) throw usage("has more than one value; quote a value with blanks");
  values[0] = check_one(row, values[0]);
  return values;
}

}  // namespace muster::ssh
