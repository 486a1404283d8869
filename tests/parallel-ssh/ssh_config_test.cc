#include "parallel-ssh/ssh_config.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

namespace muster::ssh {
namespace {

using Strings = std::vector<std::string>;

LocalFacts facts() {
  LocalFacts facts;
  facts.home = "/home/ann";
  facts.user = "ann";
  facts.host_name = "desk.example.com";
  facts.uid = 1000;
  facts.environment = [](const std::string& name) {
    if (name == "KEYS") return std::optional<std::string>("/keys/%h");
    if (name == "SSH_AUTH_SOCK") return std::optional<std::string>("/run/agent");
    return std::optional<std::string>();
  };
  return facts;
}

SshConfig parse(std::string_view text) { return SshConfig::parse({}, text, "config", facts()); }
HostConfig lookup(std::string_view text, const std::string& host = "web1") { return parse(text).lookup(host); }

std::string complaint(std::string_view text) {
  try {
    lookup(text);
    return "no error";
  } catch (const base::Error& e) {
    EXPECT_EQ(e.code(), base::Code::usage);
    return e.what();
  }
}

class Messages : public base::EventSink {
 public:
  void message(base::Severity, const std::string& text) override { texts.push_back(text); }
  Strings texts;
};

TEST(SshConfig, EmptyConfigurationSaysNothing) {
  const auto config = lookup("\n# only this\n");
  EXPECT_FALSE(config.hostname || config.port || config.user || config.identity_files || config.identities_only);
  EXPECT_TRUE(config.needs_openssh.empty());
}

TEST(SshConfig, FirstValueWins) {
  const auto config = lookup("Host web*\n Port 2201\nHost *\n Port 2202\n User bob\n");
  EXPECT_EQ(config.port, 2201);
  EXPECT_EQ(config.user, "bob");
}

TEST(SshConfig, NegatedHostPatternWins) {
  const std::string text = "Host * !web1\n Port 7\n";
  EXPECT_FALSE(lookup(text, "web1").port);
  EXPECT_EQ(lookup(text, "web2").port, 7);
  EXPECT_FALSE(lookup("Host !db\n Port 7\n", "web1").port);  // an exclusion alone includes nobody
}

TEST(SshConfig, SectionsKeepTheirOrderWhetherLiteralOrNot) {
  const std::string text = "Host web1\n User a\nHost w*\n User b\nPort 2\nHost web1 web2\n User c\nPort 3\n";
  EXPECT_EQ(lookup(text, "web1").user, "a");
  EXPECT_EQ(lookup(text, "web1").port, 2);
  EXPECT_EQ(lookup("Host web2 web1\n Port 3\nHost ?eb1\n Port 4\n", "web1").port, 3);
}

TEST(SshConfig, IdentityFilesAccumulateOnceEach) {
  const auto config = lookup("IdentityFile ~/a\nHost web1\nIdentityFile /b\nIdentityFile ~/a\n");
  EXPECT_EQ(config.identity_files, (Strings{"/home/ann/a", "/b"}));
  EXPECT_EQ(lookup("IdentityFile none\n").identity_files, Strings{});
}

TEST(SshConfig, TokensAndVariablesExpandInOnePass) {
  const auto config = lookup(
      "HostName %h.lan\nUser bob\nPort 7\nHostKeyAlias Kilo\n"
      "IdentityFile ~/%h-%n-%p-%r-%u-%d-%L-%l-%i-%k-%%\nIdentityFile ${KEYS}/x\n"
      "ProxyJump %r@jump-%n:%p\n");
  EXPECT_EQ(config.hostname, "web1.lan");
  EXPECT_EQ(config.identity_files,
            (Strings{"/home/ann/web1.lan-web1-7-bob-ann-/home/ann-desk-desk.example.com-1000-kilo-%", "/keys/%h/x"}));
  EXPECT_EQ(config.proxy_jump, "bob@jump-web1:7");
}

TEST(SshConfig, WhatCannotBeExpandedIsNamed) {
  EXPECT_EQ(complaint("\nIdentityFile /x/%z\n"), "config:2: token %z of '/x/%z' cannot be expanded here");
  EXPECT_EQ(complaint("IdentityFile ${NOPE}/x\n"), "config:1: environment variable NOPE is not set");
  EXPECT_EQ(complaint("HostName %n\n"), "config:1: token %n of '%n' cannot be expanded here");
  EXPECT_EQ(complaint("IdentityFile ~bob/x\n"), "config:1: '~bob/x' is in another user's home; write the path in full");
}

TEST(SshConfig, AgentIsASocketOrNone) {
  EXPECT_EQ(lookup("IdentityAgent SSH_AUTH_SOCK\n").identity_agent, "/run/agent");
  EXPECT_EQ(lookup("IdentityAgent $SSH_AUTH_SOCK\n").identity_agent, "/run/agent");
  EXPECT_EQ(lookup("IdentityAgent $UNSET\n").identity_agent, "none");
  EXPECT_EQ(lookup("IdentityAgent none\n").identity_agent, "none");
  EXPECT_EQ(lookup("IdentityAgent ~/agent-%u\n").identity_agent, "/home/ann/agent-ann");
}

TEST(SshConfig, MatchCriteriaAllHaveToHold) {
  EXPECT_EQ(lookup("Match host web1 localuser ann\nPort 7\n").port, 7);
  EXPECT_FALSE(lookup("Match host web1 localuser bob\nPort 7\n").port);
  EXPECT_EQ(lookup("Match !user bob\nPort 7\n").port, 7);
  EXPECT_EQ(lookup("Match host=\"w*,!web2\"\nPort 7\n").port, 7);
  EXPECT_FALSE(lookup("Match host !web2\nPort 7\n").port);
  EXPECT_EQ(lookup("HostName x.lan\nMatch host x.lan originalhost web1\nPort 7\n").port, 7);
}

TEST(SshConfig, MatchUserSeesTheUserGivenOutside) {
  const auto config = parse("Match user bob\nPort 7\nIdentityFile %r-%p\n").lookup("web1", "bob", 99);
  EXPECT_EQ(config.port, 99);
  EXPECT_EQ(config.user, "bob");
  EXPECT_EQ(config.identity_files, Strings{"bob-99"});
}

TEST(SshConfig, MatchFinalSeesWhatTheFirstRoundSet) {
  const auto config =
      lookup("Match final host web1.lan\nUser late\nMatch canonical\nPort 9\nHost web1\nHostName %h.lan\n");
  EXPECT_EQ(config.user, "late");
  EXPECT_EQ(config.port, 9);
  EXPECT_FALSE(lookup("Match final\nHostName late.lan\n").hostname);  // too late for that
  EXPECT_EQ(lookup("HostName %h.LAN\nHost web1.lan\nPort 9\nMatch final\n").port, 9);
  EXPECT_FALSE(lookup("Match canonical\nPort 9\n").port);  // no `final`, no second round
}

TEST(SshConfig, ProxyJumpAndProxyCommandExcludeEachOther) {
  EXPECT_FALSE(lookup("ProxyJump a\nProxyCommand nc %h\n").proxy_command);
  EXPECT_FALSE(lookup("ProxyCommand none\nProxyJump a\n").proxy_jump);
  EXPECT_EQ(lookup("ProxyJump none\nProxyCommand nc %h\nProxyJump a\n").proxy_command, "nc web1");
  const auto command = lookup("ProxyCommand nc %h %p # x\nProxyJump a\n");
  EXPECT_EQ(command.proxy_command, "nc web1 22 # x");
  EXPECT_FALSE(command.proxy_jump);
  EXPECT_EQ(command.needs_openssh, Strings{"ProxyCommand"});
}

TEST(SshConfig, WhatOnlyOpensshCanDoIsNamed) {
  const auto config = lookup(
      "CertificateFile /c\nPKCS11Provider /lib/x.so\nRevokedHostKeys /krl\nKnownHostsCommand /bin/k %H\n"
      "CanonicalizeHostname yes\nVerifyHostKeyDNS yes\nBindInterface eth0\nMatch exec \"true\"\nPort 7\n");
  EXPECT_EQ(config.needs_openssh,
            (Strings{"BindInterface", "CanonicalizeHostname", "CertificateFile", "KnownHostsCommand", "Match exec",
                     "PKCS11Provider", "RevokedHostKeys", "VerifyHostKeyDNS"}));
  EXPECT_FALSE(config.port);
  EXPECT_EQ(config.certificate_files, Strings{"/c"});
}

TEST(SshConfig, WhatConcernsOtherHostsIsNoReason) {
  EXPECT_TRUE(lookup("Host db\nProxyCommand x\nMatch host db exec true\nPort 7\n").needs_openssh.empty());
  EXPECT_TRUE(lookup("ProxyCommand none\nPKCS11Provider none\nRevokedHostKeys none\nControlMaster auto\n"
                     "ControlPath ~/.ssh/%C\nGSSAPIAuthentication yes\nCanonicalDomains a.b\n")
                  .needs_openssh.empty());
  EXPECT_EQ(lookup("GSSAPIAuthentication yes\nPubkeyAuthentication no\n").needs_openssh,
            Strings{"GSSAPIAuthentication"});
}

TEST(SshConfig, WordsMayBeQuotedAndCommented) {
  EXPECT_EQ(lookup("User = \"a b\" # c\n").user, "a b");
  EXPECT_EQ(lookup("User='a b'\n").user, "a b");
  EXPECT_EQ(lookup("User a\\ b\n").user, "a b");
  EXPECT_EQ(lookup("User \"a\\\"b\"\n").user, "a\"b");
  EXPECT_EQ(lookup("\tuSeR\tx\r\n").user, "x");
  EXPECT_EQ(lookup("\"User\" x#y\n").user, "x#y");
}

TEST(SshConfig, ValuesAreTyped) {
  const auto config = lookup(
      "ConnectTimeout 1m30\nServerAliveInterval 5s\nStrictHostKeyChecking Accept-New\nIdentitiesOnly true\n"
      "AddressFamily inet6\nCompression no\nUserKnownHostsFile ~/a /b\nGlobalKnownHostsFile none\nSetEnv A=1 B=2\n");
  EXPECT_EQ(config.connect_timeout, std::chrono::seconds(90));
  EXPECT_EQ(config.server_alive_interval, std::chrono::seconds(5));
  EXPECT_EQ(config.strict_host_key_checking, HostKeyPolicy::accept_new);
  EXPECT_EQ(config.identities_only, true);
  EXPECT_EQ(config.address_family, AddressFamily::inet6);
  EXPECT_EQ(config.compression, false);
  EXPECT_EQ(config.user_known_hosts_files, (Strings{"/home/ann/a", "/b"}));
  EXPECT_EQ(config.global_known_hosts_files, Strings{});
  EXPECT_EQ(config.set_env, (Strings{"A=1", "B=2"}));
}

TEST(SshConfig, MistakesAreFoundInSectionsForOthersToo) {
  EXPECT_EQ(complaint("Host db\n Prot 22\n"),
            "config:2: bad configuration option 'prot'; correct it, or name it in IgnoreUnknown before");
  EXPECT_EQ(complaint("Host db\n Port 0\n"), "config:2: bad value '0' of port; write a number from 1 to 65535");
  EXPECT_EQ(complaint("StrictHostKeyChecking maybe\n"),
            "config:1: bad value 'maybe' of stricthostkeychecking; write one of: yes no ask accept-new");
  for (const auto* text : {"User\n",
                           "User a b\n",
                           "User \"a\n",
                           "User ''\n",
                           "Port 70000\n",
                           "Port 1x\n",
                           "ConnectTimeout -1\n",
                           "ConnectTimeout 1y\n",
                           "ConnectTimeout 99999999999\n",
                           "BatchMode maybe\n",
                           "Match\n",
                           "Match bogus x\n",
                           "Match host\n",
                           "Match all host x\n",
                           "Match host \"x\n",
                           "ProxyJump a,,b\n",
                           "UserKnownHostsFile none b\n",
                           "Host\n",
                           "Include\n",
                           "ConnectionAttempts -1\n"})
    EXPECT_TRUE(complaint(text).starts_with("config:1: ")) << text << complaint(text);
  EXPECT_EQ(complaint(std::string_view("User a\0b\n", 9)), "config:1: the line has a zero byte");
}

TEST(SshConfig, IgnoreUnknownExcusesWhatComesAfter) {
  EXPECT_EQ(lookup("IgnoreUnknown Pr?t,x*\nProt 1\nxyz\nPort 7\n").port, 7);
  EXPECT_NE(complaint("Prot 1\nIgnoreUnknown *\n"), "no error");
}

TEST(SshConfig, OptionsOfThePastAreToldOnce) {
  Messages messages;
  const auto config = SshConfig::parse({.stop = {}, .events = &messages}, "Protocol 2\n", "config", facts());
  EXPECT_EQ(messages.texts, Strings{"config:1: protocol is an option that OpenSSH no longer has; remove it"});
}

class SshConfigFiles : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/muster-ssh-config-XXXXXX";
    home_ = ::mkdtemp(pattern);
    std::filesystem::create_directory(home_ + "/.ssh");
  }
  void TearDown() override { std::filesystem::remove_all(home_); }

  void write(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    std::ofstream(home_ + "/.ssh/" + name) << text;
    ::chmod((home_ + "/.ssh/" + name).c_str(), mode);
  }
  SshConfig load() const {
    auto mine = facts();
    mine.home = home_;
    mine.uid = ::getuid();
    return SshConfig::load({}, {{.path = "~/.ssh/config"}, {.path = "~/.ssh/system"}}, mine);
  }
  std::string load_complaint() const {
    try {
      load();
      return "no error";
    } catch (const base::Error& e) {
      std::string text = e.what();
      for (auto at = text.find(home_); at != std::string::npos; at = text.find(home_))
        text.replace(at, home_.size(), "~");
      return text;
    }
  }

  std::string home_;
};

TEST_F(SshConfigFiles, MissingFilesAreFineUnlessRequired) {
  EXPECT_FALSE(load().lookup("web1").port);
  EXPECT_THROW(SshConfig::load({}, {{.path = "/no/such", .presence = ConfigSource::Presence::required}}, facts()),
               base::Error);
}

TEST_F(SshConfigFiles, EarlierSourceWins) {
  write("config", "Host web1\nPort 1\n");
  write("system", "Port 2\nUser sys\n");
  EXPECT_EQ(load().lookup("web1").port, 1);
  EXPECT_EQ(load().lookup("web1").user, "sys");
}

TEST_F(SshConfigFiles, IncludeIsReadInPlaceAndOnlyWhereItsSectionMatches) {
  write("config", "Host web1\nInclude conf.d-*\nUser after\nHost *\nPort 9\n");
  write("conf.d-1", "Port 5\nHost web2\nUser never\n");
  write("conf.d-2", "Host web1\nIdentityFile /k\n");
  const auto config = load();
  EXPECT_EQ(config.lookup("web1").port, 5);
  EXPECT_EQ(config.lookup("web1").user, "after");
  EXPECT_EQ(config.lookup("web1").identity_files, Strings{"/k"});
  EXPECT_EQ(config.lookup("web2").port, 9);
  EXPECT_FALSE(config.lookup("web2").user);
}

TEST_F(SshConfigFiles, IncludesInACircleEnd) {
  write("config", "Include config\nInclude config\n");
  EXPECT_EQ(load_complaint(), "~/.ssh/config:1: includes nest more than 16 deep; is it a circle?");
}

TEST_F(SshConfigFiles, IncludesThatMultiplyEnd) {
  write("config", "Include a1\n");
  for (int i = 1; i <= 14; ++i) {
    const std::string next = "a" + std::to_string(i + 1);
    write("a" + std::to_string(i), "Include " + next + "\nInclude " + next + "\n");
  }
  write("a15", "Port 1\n");
  EXPECT_TRUE(load_complaint().find("is too large") != std::string::npos) << load_complaint();
}

TEST_F(SshConfigFiles, FileOthersMayWriteIsRefused) {
  write("config", "Port 1\n", 0666);
  EXPECT_EQ(load_complaint(), "~/.ssh/config: others may write to it; run chmod go-w on it, or make it your own");
}

TEST_F(SshConfigFiles, DirectoryIsNoFile) {
  std::filesystem::create_directory(home_ + "/.ssh/config");
  EXPECT_EQ(load_complaint(), "~/.ssh/config: is a directory; write a file, or a folder's '/*'");
}

TEST_F(SshConfigFiles, MistakeInAnIncludeNamesItsOwnLine) {
  write("config", "\nInclude other\n");
  write("other", "\n\nBogus 1\n");
  EXPECT_EQ(load_complaint(),
            "~/.ssh/other:3: bad configuration option 'bogus'; correct it, or name it in IgnoreUnknown before");
}

}  // namespace
}  // namespace muster::ssh
