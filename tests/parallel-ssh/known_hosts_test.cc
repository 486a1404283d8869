#include "parallel-ssh/known_hosts.h"

#include <gtest/gtest.h>

#include "base/digest.h"
#include "base/error.h"
#include "parallel-ssh/host_key.h"

namespace muster::ssh {
namespace {

using Lines = std::vector<int>;

// Bytes shaped like a key, different for each number.
std::string blob(int number) {
  const std::string type = "ssh-ed25519";
  return std::string({0, 0, 0, static_cast<char>(type.size())}) + type + "key " + std::to_string(number);
}
std::string key(int number) { return "ssh-ed25519 " + base::base64_encode(blob(number)); }

class Messages : public base::EventSink {
 public:
  void message(base::Severity, const std::string& text) override { texts.push_back(text); }
  std::vector<std::string> texts;
};

KnownHosts parse(const std::string& text) { return KnownHosts::parse({}, text, "file"); }

Lines lines(const std::vector<KnownKey>& keys) {
  Lines found;
  for (const auto& known : keys) found.push_back(known.line);
  return found;
}

TEST(KnownHosts, PlainNamesAreFoundWithoutCase) {
  const auto hosts = parse(key(0) + "\nweb1,WEB2,10.0.0.1 " + key(1) + " comment\r\n\n# note\n\tdb " + key(2) + "\n");
  const auto found = hosts.lookup("Web2", 22);
  ASSERT_EQ(lines(found.keys), Lines{2});
  EXPECT_EQ(found.keys[0].type, "ssh-ed25519");
  EXPECT_EQ(found.keys[0].blob, blob(1));
  EXPECT_EQ(found.keys[0].file, "file");
  EXPECT_EQ(lines(hosts.lookup("10.0.0.1", 22).keys), Lines{2});
  EXPECT_EQ(lines(hosts.lookup("db", 22).keys), Lines{5});
  EXPECT_TRUE(hosts.lookup("web3", 22).keys.empty());
}

TEST(KnownHosts, OtherPortsAreOtherHosts) {
  const auto hosts = parse("[web1]:2222 " + key(1) + "\nweb1 " + key(2) + "\n[*]:23 " + key(3) + "\n");
  EXPECT_EQ(lines(hosts.lookup("web1", 2222).keys), Lines{1});
  EXPECT_EQ(lines(hosts.lookup("web1", 22).keys), Lines{2});
  EXPECT_EQ(lines(hosts.lookup("web1", 23).keys), Lines{3});
  EXPECT_TRUE(hosts.lookup("web1", 24).keys.empty());
}

TEST(KnownHosts, WildcardsMatchAndExclusionsWin) {
  const auto hosts = parse("*.lan,!db.lan " + key(1) + "\nweb? " + key(2) + "\n!x " + key(3) + "\n");
  EXPECT_EQ(lines(hosts.lookup("a.lan", 22).keys), Lines{1});
  EXPECT_TRUE(hosts.lookup("db.lan", 22).keys.empty());
  EXPECT_EQ(lines(hosts.lookup("web7", 22).keys), Lines{2});
  EXPECT_TRUE(hosts.lookup("y", 22).keys.empty());
}

TEST(KnownHosts, MarkersArePutApart) {
  const auto hosts = parse("@revoked * " + key(1) + "\n@cert-authority *.lan " + key(2) + "\na.lan " + key(3) + "\n");
  const auto found = hosts.lookup("a.lan", 22);
  EXPECT_EQ(lines(found.revoked), Lines{1});
  EXPECT_EQ(lines(found.authorities), Lines{2});
  EXPECT_EQ(lines(found.keys), Lines{3});
}

TEST(KnownHosts, HashedLinesReadBack) {
  const auto line = known_hosts_line("Web1", 2222, "ssh-ed25519", blob(1), NameForm::hashed);
  EXPECT_TRUE(line.starts_with("|1|")) << line;
  const auto hosts = parse(line + known_hosts_line("web1", 22, "ssh-ed25519", blob(2), NameForm::hashed));
  EXPECT_EQ(lines(hosts.lookup("web1", 2222).keys), Lines{1});
  EXPECT_EQ(lines(hosts.lookup("WEB1", 22).keys), Lines{2});
  EXPECT_TRUE(hosts.lookup("web2", 22).keys.empty());
}

TEST(KnownHosts, PlainLinesReadBack) {
  EXPECT_EQ(known_hosts_line("Web1", 2222, "ssh-ed25519", blob(1)), "[web1]:2222 " + key(1) + "\n");
  EXPECT_EQ(known_hosts_line("fe80::1", 22, "ssh-ed25519", blob(1)), "fe80::1 " + key(1) + "\n");
}

TEST(KnownHosts, NamesThatWouldBecomeSomethingElseAreRefused) {
  for (const auto* name : {"", "a b", "a,b", "*", "a?", "!a", "@revoked", "#a", "|1|a", "a\nb", "[a]:1"})
    EXPECT_THROW(known_hosts_line(name, 22, "ssh-ed25519", blob(1)), base::Error) << name;
  EXPECT_THROW(known_hosts_line("a", 22, "ssh-rsa", blob(1)), base::Error);
}

TEST(KnownHosts, OrderOfTheFilesIsKeptAcrossKindsOfLines) {
  const auto hosts = parse("w* " + key(1) + "\nweb1 " + key(2) + "\n" +
                           known_hosts_line("web1", 22, "ssh-ed25519", blob(3), NameForm::hashed) + "web1 " + key(4));
  EXPECT_EQ(lines(hosts.lookup("web1", 22).keys), (Lines{1, 2, 3, 4}));
}

TEST(KnownHosts, LinesNotUnderstoodAreToldOnceAndSkipped) {
  Messages messages;
  const std::string text = "a " + key(1) + "\nbad\nweb1 ssh-ed25519 ???\nweb1 ssh-rsa " + key(2).substr(12) +
                           "\n@bogus web1 " + key(1) + "\n|1|x|y " + key(1) + "\n|2|x " + key(1) +
                           "\nweb1 1024 35 12\n" + std::string(70'000, 'x') + " " + key(1) + "\n";
  const auto hosts = KnownHosts::parse({.stop = {}, .events = &messages}, text, "file");
  EXPECT_EQ(hosts.size(), 1U);
  ASSERT_EQ(messages.texts.size(), 1U);
  EXPECT_EQ(messages.texts[0],
            "file:2: is no line of known_hosts that can be used, nor are 7 others in this file; skipped");
}

TEST(KnownHosts, MissingFilesAreNoHosts) {
  EXPECT_EQ(KnownHosts::load({}, {"/no/such/file"}).size(), 0U);
  EXPECT_THROW(KnownHosts::load({}, {"/"}), base::Error);  // there, and not readable as a file
}

TEST(HostKey, FingerprintIsWhatOpensshPrints) {
  const auto pinned =
      parse_host_key("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl github.com");
  EXPECT_EQ(pinned.fingerprint, "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU");
  EXPECT_EQ(pinned.type, "ssh-ed25519");
}

TEST(HostKey, PinMatchesByKeyOrFingerprint) {
  const auto line = parse_host_key(" " + key(1) + " comment\n");
  EXPECT_TRUE(line.matches(blob(1)));
  EXPECT_FALSE(line.matches(blob(2)));
  const auto print = parse_host_key(fingerprint(blob(1)));
  EXPECT_TRUE(print.matches(blob(1)));
  EXPECT_FALSE(print.matches(blob(2)));
  EXPECT_EQ(parse_host_key(fingerprint(blob(1)) + "=").fingerprint, print.fingerprint);
}

TEST(HostKey, WhatIsNoKeySaysWhatToWrite) {
  for (const std::string text : {"", "ssh-ed25519", "SHA256:abc", "MD5:00:11", "web1 ssh-ed25519 AAAA", "ssh-rsa !!!!"})
    EXPECT_THROW(parse_host_key(text), base::Error) << text;
  EXPECT_THROW(parse_host_key("ssh-rsa " + key(1).substr(12)), base::Error);
  EXPECT_EQ(key_type(""), std::nullopt);
  EXPECT_EQ(key_type(std::string("\xff\xff\xff\xff"
                                 "abc")),
            std::nullopt);
  // The last digit's unused bits: two texts for one digest would not compare equal.
  EXPECT_THROW(parse_host_key("SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqV"), base::Error);
}

}  // namespace
}  // namespace muster::ssh
