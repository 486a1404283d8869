#include "parallel-ssh/ssh_config.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "parallel-ssh/ssh_config_parser.h"
#include "parallel-ssh/ssh_config_tokens.h"
#include "parallel-ssh/ssh_pattern.h"

namespace muster::ssh {
namespace {

// What one lookup has found so far: settings in the files' order, the first of a keyword counting. Nothing is converted
// before all of them are known.
struct Found {
  std::array<const Setting*, kKeywordCount> first{};
  std::vector<const Setting*> identity_files;
  std::vector<const Setting*> certificate_files;
  std::vector<std::string> openssh_only;  // names of Match criteria
  bool hostname_is_final = false;         // the first round settled it, also if that is the name that was asked for

  const Setting* operator[](Keyword keyword) const { return first[static_cast<std::size_t>(keyword)]; }

  void add(const Setting& setting) {
    if (setting.keyword == Keyword::hostname && hostname_is_final) return;
    const auto other = setting.keyword == Keyword::proxy_jump      ? Keyword::proxy_command
                       : setting.keyword == Keyword::proxy_command ? Keyword::proxy_jump
                                                                   : Keyword::ignored;
    // Whichever of the two came first excludes the other, and so does `ProxyCommand none`, but not `ProxyJump none`.
    const auto* earlier = (*this)[other];
    if (earlier != nullptr && !(other == Keyword::proxy_jump && earlier->values[0] == "none")) return;
    if (setting.keyword == Keyword::identity_file) identity_files.push_back(&setting);
    if (setting.keyword == Keyword::certificate_file) certificate_files.push_back(&setting);
    auto& place = first[static_cast<std::size_t>(setting.keyword)];
    if (place == nullptr) place = &setting;
  }

  std::optional<std::string> text(Keyword keyword) const {
    return (*this)[keyword] == nullptr ? std::nullopt : std::optional((*this)[keyword]->values[0]);
  }
  bool is(Keyword keyword, std::string_view value) const {
    return (*this)[keyword] != nullptr && (*this)[keyword]->values[0] == value;
  }
  std::optional<bool> flag(Keyword keyword) const {
    return (*this)[keyword] == nullptr ? std::nullopt : std::optional(!is(keyword, "no"));
  }
};

// One pass over all files for one host.
class Pass {
 public:
  enum class Round { first, final };

  Pass(const LocalFacts& facts, const ConnectionNames& asked, Round round, Found& found)
      : facts_(facts),
        asked_(asked),
        round_(round),
        found_(found),
        // In the second round Host lines are about the name that the first one came to.
        name_(round == Round::first ? asked.original_host : base::lower_case(hostname_now())) {}

  void apply(const ConfigFile& file) {
    static const std::vector<std::size_t> kNone;
    const auto sections_of = [&](const std::string& name) -> const std::vector<std::size_t>& {
      const auto named = file.by_literal.find(name);
      return named == file.by_literal.end() ? kNone : named->second;
    };
    std::vector<std::size_t> candidates, both;
    std::ranges::set_union(sections_of(name_), sections_of(asked_.alias), std::back_inserter(candidates));
    std::ranges::set_union(candidates, file.always_tried, std::back_inserter(both));
    for (const std::size_t i : both)
      if (const Match match = matches(file.sections[i]); match != Match::no) apply(file.sections[i], match);
  }

 private:
  // `alias`: only the host's other name matches. Then a HostName is not for it: its address is known better.
  enum class Match { no, host, alias };

  void apply(const ConfigSection& section, Match match) {
    for (const auto& entry : section.entries) {
      if (const auto* setting = std::get_if<Setting>(&entry);
          setting != nullptr && !(match == Match::alias && setting->keyword == Keyword::hostname))
        found_.add(*setting);
      if (const auto* inclusion = std::get_if<Inclusion>(&entry))
        for (const auto& file : inclusion->files) apply(*file);
    }
  }

  Match matches(const ConfigSection& section) {
    if (section.kind == ConfigSection::Kind::unconditional) return Match::host;
    if (section.kind == ConfigSection::Kind::host) return matches_host(section);
    return matches_criteria(section) ? Match::host : Match::no;
  }

  Match matches_host(const ConfigSection& section) const {
    Match included = Match::no;
    for (std::string_view pattern : section.host_patterns) {
      const bool negated = pattern.starts_with('!');
      if (negated) pattern.remove_prefix(1);
      const bool by_name = matches_pattern(pattern, name_);
      if (!by_name && (asked_.alias.empty() || !matches_pattern(pattern, asked_.alias))) continue;
      if (negated) return Match::no;
      if (included != Match::host) included = by_name ? Match::host : Match::alias;
    }
    return included;
  }

  bool matches_criteria(const ConfigSection& section) {
    for (const auto& criterion : section.criteria) {
      if (criterion.subject == Criterion::Subject::openssh_only) {
        found_.openssh_only.push_back("Match " + criterion.name);
        return false;
      }
      if (holds(criterion) == criterion.negated) return false;
    }
    return true;
  }

  bool holds(const Criterion& criterion) const {
    const auto included = [&](std::string_view text) {
      return match_list(criterion.patterns, text) == ListMatch::included;
    };
    switch (criterion.subject) {
      case Criterion::Subject::final_pass:
        return round_ == Round::final;
      case Criterion::Subject::host:
        return included(base::lower_case(hostname_now()));
      case Criterion::Subject::original_host:
        return included(base::lower_case(asked_.original_host));
      case Criterion::Subject::user:
        return included(asked_.given_user.value_or(found_.text(Keyword::user).value_or(facts_.user)));
      case Criterion::Subject::local_user:
        return included(facts_.user);
      default:
        return true;
    }
  }

  std::string hostname_now() const {
    const auto written = found_.text(Keyword::hostname);
    return written ? expand_hostname(*written, asked_.original_host) : asked_.original_host;
  }

  const LocalFacts& facts_;
  const ConnectionNames& asked_;
  Round round_;
  Found& found_;
  std::string name_;
};

std::optional<std::chrono::seconds> duration(const Found& found, Keyword keyword) {
  const auto text = found.text(keyword);
  if (!text || *text == "none") return std::nullopt;
  return std::chrono::seconds(std::stoll(*text));
}

std::optional<int> number(const Found& found, Keyword keyword) {
  const auto text = found.text(keyword);
  return text ? std::optional(std::stoi(*text)) : std::nullopt;
}

std::optional<std::string> unless_none(std::optional<std::string> text) {
  return text && *text == "none" ? std::nullopt : std::move(text);
}

std::optional<HostKeyPolicy> host_key_policy(const Found& found) {
  const auto text = found.text(Keyword::strict_host_key_checking);
  if (!text) return std::nullopt;
  if (*text == "accept-new") return HostKeyPolicy::accept_new;
  return *text == "yes" ? HostKeyPolicy::yes : *text == "no" ? HostKeyPolicy::no : HostKeyPolicy::ask;
}

AddressFamily address_family(const Found& found) {
  if (found.is(Keyword::address_family, "inet")) return AddressFamily::inet;
  return found.is(Keyword::address_family, "inet6") ? AddressFamily::inet6 : AddressFamily::any;
}

// Runs `convert`, with the setting's place before what it throws.
template <typename Convert>
auto at(const Setting& setting, Convert convert) {
  try {
    return convert();
  } catch (const base::Error& e) {
    throw base::Error(e.code(), *setting.file + ":" + std::to_string(setting.line) + ": " + e.what());
  }
}

// Each file once, in order; OpenSSH compares them as written.
std::vector<std::string> paths(const std::vector<const Setting*>& settings, const TokenValues& values) {
  std::vector<std::string> written, expanded;
  for (const auto* setting : settings) {
    const auto& path = setting->values[0];
    if (path == "none" || std::find(written.begin(), written.end(), path) != written.end()) continue;
    written.push_back(path);
    expanded.push_back(at(*setting, [&] { return expand_path(path, values); }));
  }
  return expanded;
}

std::optional<std::vector<std::string>> user_known_hosts(const Found& found, const TokenValues& values) {
  const auto* setting = found[Keyword::user_known_hosts_file];
  if (setting == nullptr) return std::nullopt;
  std::vector<std::string> files;
  for (const auto& path : setting->values)
    if (base::lower_case(path) != "none") files.push_back(at(*setting, [&] { return expand_path(path, values); }));
  return files;
}

std::optional<std::vector<std::string>> global_known_hosts(const Found& found) {
  const auto* setting = found[Keyword::global_known_hosts_file];
  if (setting == nullptr) return std::nullopt;
  return base::lower_case(setting->values[0]) == "none" ? std::vector<std::string>{} : setting->values;
}

std::optional<std::string> identity_agent(const Found& found, const TokenValues& values, const LocalFacts& facts) {
  const auto* setting = found[Keyword::identity_agent];
  if (setting == nullptr || setting->values[0] == "none") return found.text(Keyword::identity_agent);
  const auto& written = setting->values[0];
  const bool variable = written == "SSH_AUTH_SOCK" || (written.starts_with('$') && !written.starts_with("${"));
  if (!variable) return at(*setting, [&] { return expand_path(written, values); });
  const std::string name = written.substr(written.starts_with('$') ? 1 : 0);
  const auto socket = facts.environment ? facts.environment(name) : std::nullopt;
  return socket.value_or("none");  // OpenSSH goes on without an agent where the variable is not set
}

std::vector<std::string> reasons_for_openssh(const Found& found) {
  std::vector<std::string> reasons = found.openssh_only;
  const auto unless = [&](Keyword keyword, std::string_view harmless, const char* name) {
    if (found[keyword] != nullptr && base::lower_case(found[keyword]->values[0]) != harmless)
      reasons.emplace_back(name);
  };
  unless(Keyword::proxy_command, "none", "ProxyCommand");
  unless(Keyword::proxy_use_fdpass, "no", "ProxyUseFdpass");
  unless(Keyword::certificate_file, "none", "CertificateFile");
  unless(Keyword::pkcs11_provider, "none", "PKCS11Provider");
  unless(Keyword::security_key_provider, "internal", "SecurityKeyProvider");
  unless(Keyword::canonicalize_hostname, "no", "CanonicalizeHostname");
  unless(Keyword::revoked_host_keys, "none", "RevokedHostKeys");
  unless(Keyword::known_hosts_command, "none", "KnownHostsCommand");
  unless(Keyword::hostbased_authentication, "no", "HostbasedAuthentication");
  unless(Keyword::bind_interface, "", "BindInterface");
  if (found.is(Keyword::verify_host_key_dns, "yes")) reasons.emplace_back("VerifyHostKeyDNS");
  // Debian's own /etc/ssh/ssh_config turns GSSAPI on for everyone, so it is a reason only for those with nothing else.
  if (found.is(Keyword::gssapi_authentication, "yes") && found.is(Keyword::pubkey_authentication, "no"))
    reasons.emplace_back("GSSAPIAuthentication");
  std::sort(reasons.begin(), reasons.end());
  reasons.erase(std::unique(reasons.begin(), reasons.end()), reasons.end());
  return reasons;
}

void fill_plain(const Found& found, HostConfig& config) {
  config.bind_address = found.text(Keyword::bind_address);
  config.address_family = address_family(found);
  config.identities_only = found.flag(Keyword::identities_only);
  config.pubkey_authentication = found.flag(Keyword::pubkey_authentication);
  config.password_authentication = found.flag(Keyword::password_authentication);
  config.preferred_authentications = found.text(Keyword::preferred_authentications);
  if (const auto agent = found.text(Keyword::forward_agent))
    config.forward_agent = base::lower_case(*agent) != "no" && base::lower_case(*agent) != "false";
  config.strict_host_key_checking = host_key_policy(found);
  config.hash_known_hosts = found.flag(Keyword::hash_known_hosts);
  config.connect_timeout = duration(found, Keyword::connect_timeout);
  config.server_alive_interval = duration(found, Keyword::server_alive_interval);
  config.server_alive_count_max = number(found, Keyword::server_alive_count_max);
  config.connection_attempts = number(found, Keyword::connection_attempts);
  config.compression = found.flag(Keyword::compression);
  config.kex_algorithms = found.text(Keyword::kex_algorithms);
  config.ciphers = found.text(Keyword::ciphers);
  config.macs = found.text(Keyword::macs);
  config.host_key_algorithms = found.text(Keyword::host_key_algorithms);
  config.pubkey_accepted_algorithms = found.text(Keyword::pubkey_accepted_algorithms);
  if (const auto* setting = found[Keyword::set_env]) config.set_env = setting->values;
}

void fill_expanded(const Found& found, const TokenValues& values, const LocalFacts& facts, HostConfig& config) {
  if (!found.identity_files.empty()) config.identity_files = paths(found.identity_files, values);
  config.certificate_files = paths(found.certificate_files, values);
  config.user_known_hosts_files = user_known_hosts(found, values);
  config.global_known_hosts_files = global_known_hosts(found);
  config.identity_agent = identity_agent(found, values, facts);
  config.proxy_command = unless_none(found.text(Keyword::proxy_command));
  config.proxy_jump = unless_none(found.text(Keyword::proxy_jump));
  if (config.proxy_command)
    config.proxy_command =
        at(*found[Keyword::proxy_command], [&] { return expand_proxy(*config.proxy_command, values); });
  if (config.proxy_jump)
    config.proxy_jump = at(*found[Keyword::proxy_jump], [&] { return expand_proxy(*config.proxy_jump, values); });
}

}  // namespace

struct SshConfig::Content {
  LocalFacts facts;
  ParsedConfig parsed;
};

SshConfig::SshConfig(std::unique_ptr<const Content> content) : content_(std::move(content)) {}
SshConfig::SshConfig(SshConfig&&) noexcept = default;
SshConfig& SshConfig::operator=(SshConfig&&) noexcept = default;
SshConfig::~SshConfig() = default;

SshConfig SshConfig::load(const base::Context& ctx, const std::vector<ConfigSource>& sources, LocalFacts facts) {
  ParsedConfig parsed = parse_config_files(ctx, sources, facts);
  return SshConfig(std::make_unique<const Content>(Content{std::move(facts), std::move(parsed)}));
}

SshConfig SshConfig::parse(const base::Context& ctx, std::string_view text, const std::string& name, LocalFacts facts) {
  ParsedConfig parsed = parse_config_text(ctx, text, name, facts);
  return SshConfig(std::make_unique<const Content>(Content{std::move(facts), std::move(parsed)}));
}

HostConfig SshConfig::lookup(const std::string& host, const std::optional<std::string>& user,
                             std::optional<std::uint16_t> port, const std::string& alias) const {
  const ConnectionNames asked{host, user, base::lower_case(alias)};
  const auto& [facts, parsed] = *content_;
  Found found;
  for (const auto& file : parsed.files) Pass(facts, asked, Pass::Round::first, found).apply(*file);
  // As OpenSSH does, once more over everything; what the first round set stays.
  found.hostname_is_final = true;
  if (parsed.wants_final_pass)
    for (const auto& file : parsed.files) Pass(facts, asked, Pass::Round::final, found).apply(*file);

  HostConfig config;
  fill_plain(found, config);
  if (const auto* setting = found[Keyword::hostname])
    config.hostname = at(*setting, [&] { return base::lower_case(expand_hostname(setting->values[0], host)); });
  config.user = user ? user : found.text(Keyword::user);
  config.port = port;
  if (!port && found[Keyword::port] != nullptr)
    config.port = static_cast<std::uint16_t>(std::stoi(found[Keyword::port]->values[0]));
  if (const auto written_alias = found.text(Keyword::host_key_alias))
    config.host_key_alias = base::lower_case(*written_alias);
  const TokenValues values(facts, host, config);
  fill_expanded(found, values, facts, config);
  config.needs_openssh = reasons_for_openssh(found);
  return config;
}

}  // namespace muster::ssh
