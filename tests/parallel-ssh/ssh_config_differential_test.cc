// Holds our reading of ssh_config against `ssh -G`, on generated configurations: right ones must give the same answers,
// wrong ones must be refused by both.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>

#include <gtest/gtest.h>
#include <poll.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child_process.h"
#include "base/error.h"
#include "parallel-ssh/ssh_config.h"

namespace muster::ssh {
namespace {

using Random = std::mt19937;
using Strings = std::vector<std::string>;
using Answers = std::map<std::string, Strings>;

const Strings kHosts = {"web1", "web2.lan", "DB", "10.0.0.1"};
const std::string kIncluded = "included";

std::string read_all(int fd) {
  std::string text;
  char piece[65536];
  for (;;) {
    pollfd p{.fd = fd, .events = POLLIN, .revents = 0};
    if (::poll(&p, 1, 30'000) <= 0) return text;
    const ssize_t n = ::read(fd, piece, sizeof piece);
    if (n <= 0) return text;
    text.append(piece, static_cast<std::size_t>(n));
  }
}

// What `ssh -G` says; nullopt if it refuses the configuration.
std::optional<Answers> ask_ssh(const std::string& path, const std::string& host) {
  base::ChildProcess child({"ssh", "-G", "-F", path, host});
  child.standard_input().reset();
  std::istringstream lines(read_all(child.standard_output().get()));
  if (child.wait(std::chrono::seconds(30)).code != 0) return std::nullopt;
  Answers answers;
  for (std::string line; std::getline(lines, line);) {
    const auto blank = line.find(' ');
    if (blank != std::string::npos) answers[line.substr(0, blank)].push_back(line.substr(blank + 1));
  }
  return answers;
}

std::string first(const Answers& answers, const std::string& key) {
  const auto found = answers.find(key);
  return found == answers.end() ? "-" : found->second.front();
}

std::string flag(std::optional<bool> value, const char* unset) { return value ? (*value ? "yes" : "no") : unset; }

std::string policy(std::optional<HostKeyPolicy> value) {
  static const char* const kNames[] = {"ask", "true", "accept-new", "false"};
  return kNames[static_cast<int>(value.value_or(HostKeyPolicy::ask))];
}

std::string joined(const Strings& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

class SshPeer : public testing::Test {
 protected:
  void SetUp() override {
    try {
      base::ChildProcess child({"ssh", "-V"});
      child.wait(std::chrono::seconds(30));
    } catch (const base::Error&) {
      GTEST_SKIP() << "ssh is not installed";
    }
    char pattern[] = "/tmp/muster-ssh-peer-XXXXXX";
    folder_ = ::mkdtemp(pattern);
    const passwd* me = ::getpwuid(::getuid());
    facts_.home = me->pw_dir;
    facts_.user = me->pw_name;
    facts_.uid = ::getuid();
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), 0600);
    return path;
  }

  std::string in_home(std::string path) const { return path.starts_with("~/") ? facts_.home + path.substr(1) : path; }

  std::optional<HostConfig> ask_ours(const std::string& path, const std::string& host, std::string& why) const {
    try {
      return SshConfig::load({}, {{.path = path, .presence = ConfigSource::Presence::required}}, facts_).lookup(host);
    } catch (const base::Error& e) {
      why = e.what();
      return std::nullopt;
    }
  }

  void compare(const HostConfig& ours, const Answers& theirs, const std::string& host) const {
    std::string lowered = host;
    for (char& c : lowered) c = static_cast<char>(std::tolower(c));
    EXPECT_EQ(ours.hostname.value_or(lowered), first(theirs, "hostname"));
    EXPECT_EQ(std::to_string(ours.port.value_or(22)), first(theirs, "port"));
    EXPECT_EQ(ours.user.value_or(facts_.user), first(theirs, "user"));
    EXPECT_EQ(ours.host_key_alias.value_or("-"), first(theirs, "hostkeyalias"));
    EXPECT_EQ(ours.proxy_command.value_or("-"), first(theirs, "proxycommand"));
    EXPECT_EQ(ours.proxy_jump.value_or("-"), first(theirs, "proxyjump"));
    EXPECT_EQ(ours.bind_address.value_or("-"), first(theirs, "bindaddress"));
    EXPECT_EQ(flag(ours.identities_only, "no"), first(theirs, "identitiesonly"));
    EXPECT_EQ(flag(ours.compression, "no"), first(theirs, "compression"));
    EXPECT_EQ(flag(ours.forward_agent, "no"), first(theirs, "forwardagent"));
    EXPECT_EQ(policy(ours.strict_host_key_checking), first(theirs, "stricthostkeychecking"));
    EXPECT_EQ(ours.connect_timeout ? std::to_string(ours.connect_timeout->count()) : "none",
              first(theirs, "connecttimeout"));
    EXPECT_EQ(std::to_string(ours.server_alive_interval.value_or(std::chrono::seconds(0)).count()),
              first(theirs, "serveraliveinterval"));
    static const char* const kFamilies[] = {"any", "inet", "inet6"};
    EXPECT_EQ(kFamilies[static_cast<int>(ours.address_family)], first(theirs, "addressfamily"));
    compare_files(ours, theirs);
  }

  void compare_files(const HostConfig& ours, const Answers& theirs) const {
    Strings identities;
    for (const auto& path : theirs.at("identityfile"))
      if (path != "none") identities.push_back(in_home(path));
    if (ours.identity_files) {
      EXPECT_EQ(*ours.identity_files, identities);
    } else {
      EXPECT_EQ(identities.at(0), facts_.home + "/.ssh/id_rsa");
    }
    EXPECT_EQ(joined(ours.user_known_hosts_files.value_or(
                  Strings{facts_.home + "/.ssh/known_hosts", facts_.home + "/.ssh/known_hosts2"})),
              first(theirs, "userknownhostsfile") == "none" ? "" : first(theirs, "userknownhostsfile"));
    if (ours.global_known_hosts_files) {
      EXPECT_EQ(joined(*ours.global_known_hosts_files), first(theirs, "globalknownhostsfile"));
    }
  }

  void compare_text(const std::string& text, std::size_t& accepted) const {
    const auto path = write("config", text);
    for (const auto& host : kHosts) {
      std::string why;
      const auto theirs = ask_ssh(path, host);
      const auto ours = ask_ours(path, host, why);
      ASSERT_EQ(ours.has_value(), theirs.has_value()) << host << " in\n" << text << "\nours: " << why;
      if (!ours) continue;
      compare(*ours, *theirs, host);
      ASSERT_FALSE(HasFailure()) << host << " in\n" << text;
      ++accepted;
    }
  }

  std::string folder_;
  LocalFacts facts_;
};

const std::string& pick(Random& random, const Strings& from) { return from[random() % from.size()]; }

const Strings kPatterns = {"web1",  "web*",     "!web1", "*",     "DB",     "db",
                           "*.lan", "10.0.?.1", "w?b1",  "other", "!*.lan", "Web1"};
const Strings kUsers = {"root", "ann", "b*", "!ann", "ann,root"};

std::string section_line(Random& random) {
  if (random() % 5 < 3) {
    std::string line = "Host";
    for (std::size_t i = 1 + random() % 3; i > 0; --i) line += " " + pick(random, kPatterns);
    return line;
  }
  std::string line = "Match";
  for (std::size_t i = 1 + random() % 2; i > 0; --i) {
    const std::string negation = random() % 4 == 0 ? " !" : " ";
    switch (random() % 6) {
      case 0:
        line += negation + "host " + pick(random, kPatterns) + "," + pick(random, kPatterns);
        break;
      case 1:
        line += negation + "originalhost=" + pick(random, kPatterns);
        break;
      case 2:
        line += negation + "user \"" + pick(random, kUsers) + "\"";
        break;
      case 3:
        line += negation + "localuser " + pick(random, kUsers);
        break;
      case 4:
        line += negation + "final";
        break;
      default:
        line += negation + "canonical";
    }
  }
  return random() % 8 == 0 ? line + " all" : line;
}

std::string setting_line(Random& random) {
  static const Strings kLines = {"Port 22",
                                 "Port 2222",
                                 "port=99",
                                 "Port = 7 # seven",
                                 "User ann",
                                 "User \"b b\"",
                                 "User 'root'",
                                 "User bob",
                                 "HostName web.lan",
                                 "HostName %h.lan",
                                 "HostName DB2",
                                 "Hostname 10.1.1.1",
                                 "HostKeyAlias Alias",
                                 "HostKeyAlias b",
                                 "ProxyJump jump",
                                 "ProxyJump a@b:22,c",
                                 "ProxyJump none",
                                 "ProxyCommand nc x y # z",
                                 "ProxyCommand none",
                                 "BindAddress 127.0.0.1",
                                 "IdentitiesOnly yes",
                                 "IdentitiesOnly FALSE",
                                 "Compression true",
                                 "Compression no",
                                 "ForwardAgent yes",
                                 "ForwardAgent no",
                                 "StrictHostKeyChecking accept-new",
                                 "StrictHostKeyChecking off",
                                 "StrictHostKeyChecking yes",
                                 "StrictHostKeyChecking ASK",
                                 "ConnectTimeout 10",
                                 "ConnectTimeout 1m30",
                                 "ConnectTimeout none",
                                 "ConnectTimeout 2h5",
                                 "ServerAliveInterval 15",
                                 "ServerAliveInterval 1m",
                                 "AddressFamily inet",
                                 "AddressFamily inet6",
                                 "AddressFamily any",
                                 "IdentityFile ~/.ssh/a",
                                 "IdentityFile /etc/b",
                                 "IdentityFile \"/x y\"",
                                 "IdentityFile none",
                                 "UserKnownHostsFile ~/.ssh/kh /x",
                                 "UserKnownHostsFile none",
                                 "GlobalKnownHostsFile /a /b",
                                 "GSSAPIAuthentication yes",
                                 "LogLevel QUIET",
                                 "SendEnv LANG LC_*",
                                 "RekeyLimit 1G 1h",
                                 "LocalForward 8080 localhost:80",
                                 "ControlMaster auto",
                                 "ControlPath ~/.ssh/m-%C",
                                 "# comment",
                                 "",
                                 "\tEscapeChar none",
                                 "Tunnel no",
                                 "IPQoS lowdelay throughput",
                                 "VisualHostKey no",
                                 "NumberOfPasswordPrompts 1"};
  return pick(random, kLines);
}

// Lines OpenSSH refuses, and some that look as if it did.
std::string odd_line(Random& random) {
  static const Strings kLines = {"Port 0",
                                 "Port 70000",
                                 "Port 5x",
                                 "Bogus yes",
                                 "User",
                                 "User a b",
                                 "User \"a",
                                 "User a\\ b",
                                 "User a\\b",
                                 "User \"a\\\"b\"",
                                 "User a\"b\"c",
                                 "Port 5 6",
                                 "StrictHostKeyChecking perhaps",
                                 "IgnoreUnknown Bo*",
                                 "Match",
                                 "Match bogus",
                                 "Match host",
                                 "Match all host x",
                                 "Match host x all",
                                 "BatchMode maybe",
                                 "ConnectTimeout -5",
                                 "ConnectTimeout 5x",
                                 "AddressFamily ipv4",
                                 "IdentityFile",
                                 "UserKnownHostsFile none x",
                                 "Host",
                                 "ProxyJump a,,b",
                                 "Port==5",
                                 "\"Port\" 5",
                                 "Port\t5\r",
                                 "RSAAuthentication yes",
                                 "Protocol 2",
                                 "Match host \"x",
                                 "User ''",
                                 "Compression off",

                                 "ConnectionAttempts 3",
                                 "Match !all",
                                 "Match all",
                                 "Match all # c",
                                 "Host \"a b\" web1",
                                 "Host web1 # web2",
                                 "LogLevel"};
  return pick(random, kLines);
}

std::string random_text(Random& random, unsigned odd_in_100, const std::string& include) {
  std::string text;
  for (std::size_t i = 3 + random() % 14; i > 0; --i) {
    const auto die = random() % 100;
    if (die < odd_in_100)
      text += odd_line(random);
    else if (die < 35)
      text += section_line(random);
    else if (die < 40 && !include.empty())
      text += "Include " + include;
    else
      text += setting_line(random);
    text += "\n";
  }
  return text;
}

TEST_F(SshPeer, AnswersAsSshDoesOnGeneratedConfigurations) {
  Random random(20261123);
  std::size_t accepted = 0;
  for (int i = 0; i < 250 && !HasFatalFailure(); ++i) {
    write("part-1", random_text(random, 0, ""));
    write("part-2", random_text(random, 0, folder_ + "/part-1"));
    compare_text(random_text(random, 0, folder_ + "/part-*"), accepted);
  }
  EXPECT_GT(accepted, 600U);
}

TEST_F(SshPeer, RefusesWhatSshRefuses) {
  Random random(4);
  std::size_t accepted = 0;
  for (int i = 0; i < 250 && !HasFatalFailure(); ++i) compare_text(random_text(random, 6, ""), accepted);
  EXPECT_GT(accepted, 200U);
  EXPECT_LT(accepted, 800U);
}

TEST_F(SshPeer, EveryDocumentedKeywordIsKnown) {
  // ssh -G prints most of them with a value that is good to read back.
  const auto path = write("config", "");
  const auto answers = ask_ssh(path, "web1");
  ASSERT_TRUE(answers);
  std::size_t seen = 0;
  for (const auto& [keyword, values] : *answers) {
    if (keyword == "host" || keyword.starts_with("canonicalize")) continue;
    std::string why;
    const auto again = write("again", keyword + " " + values.front() + "\n");
    if (!ask_ssh(again, "web1")) continue;  // some are printed as they cannot be written
    EXPECT_TRUE(ask_ours(again, "web1", why)) << why;
    ++seen;
  }
  EXPECT_GT(seen, 60U);
}

}  // namespace
}  // namespace muster::ssh
