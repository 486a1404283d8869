// Whom the client believes to be talking to.
#include <filesystem>

#include "tests/e2e/end_to_end.h"

namespace muster::e2e {
namespace {

class HostKeys : public EndToEnd {
 protected:
  SshServer server_{accepting_key()};
  std::string known_hosts() const { return home() + "/.ssh/known_hosts"; }
  // Without the pinned key of the inventory: known_hosts decides.
  Host unpinned() { return host(server_, "web01").unset("host_key"); }
  std::string other_key() { return make_key(file("other_host_key")).public_line; }
  std::string line_with(const std::string& key_line) const {
    return "[" + server_.endpoint().address + "]:" + std::to_string(server_.endpoint().port) + ' ' + key_line + '\n';
  }
  Finished run_true(const std::vector<std::string>& options = {}) {
    std::vector<std::string> words = {"run", "all"};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {"--", "echo", "hello"});
    return muster(words);
  }
  void expect_refused(const Finished& done, const std::string& word) {
    EXPECT_EQ(done.code, 15) << told(done);
    EXPECT_EQ(done.out, "");
    EXPECT_TRUE(contains(done.err, word)) << told(done);
    EXPECT_EQ(server_.logged("Accepted publickey"), 0U) << "logged in in spite of the host key";
  }
};

TEST_F(HostKeys, UnknownIsRefusedByDefault) {
  use({unpinned()});
  expect_refused(run_true(), "host key");
  EXPECT_FALSE(std::filesystem::exists(known_hosts()));
}

TEST_F(HostKeys, KnownIsAccepted) {
  use({unpinned()});
  write(known_hosts(), server_.known_hosts_line());
  EXPECT_EQ(run_true().code, 0);
}

TEST_F(HostKeys, KnownUnderAHashedNameIsAccepted) {
  use({unpinned()});
  write(known_hosts(), server_.known_hosts_line());
  const auto hashed = run({.argv = {"ssh-keygen", "-q", "-H", "-f", known_hosts()}});
  ASSERT_EQ(hashed.code, 0) << told(hashed);
  ASSERT_TRUE(contains(read(known_hosts()), "|1|"));
  const auto done = run_true();
  EXPECT_EQ(done.code, 0) << told(done);
}

TEST_F(HostKeys, KnownHostsFileCanBeNamed) {
  use({unpinned()});
  write(file("elsewhere"), server_.known_hosts_line());
  const auto done = run_true({"--known-hosts", file("elsewhere")});
  EXPECT_EQ(done.code, 0) << told(done);
}

TEST_F(HostKeys, AcceptNewLearnsOnceAndChecksAfterwards) {
  use({unpinned()});
  const auto first = run_true({"--host-keys", "accept-new"});
  EXPECT_EQ(first.code, 0) << told(first);
  EXPECT_TRUE(contains(read(known_hosts()), server_.host_key()));
  EXPECT_EQ(run_true().code, 0) << "what was learned is known to a strict run";
}

TEST_F(HostKeys, AcceptNewRefusesAChangedKey) {
  use({unpinned()});
  const auto before = line_with(other_key());
  write(known_hosts(), before);
  expect_refused(run_true({"--host-keys", "accept-new"}), "host key");
  EXPECT_EQ(read(known_hosts()), before);
}

TEST_F(HostKeys, ChangedIsRefusedAndSaysSo) {
  use({unpinned()});
  write(known_hosts(), line_with(other_key()));
  expect_refused(run_true(), "changed");
}

TEST_F(HostKeys, ChangedOnOneOfTwoIsPartOfIt) {
  const SshServer other(accepting_key());
  use({unpinned(), host(other, "web02")});
  write(known_hosts(), line_with(other_key()));
  const auto done = run_true();
  EXPECT_EQ(done.code, 3) << told(done);
  EXPECT_EQ(done.out, "web02: hello\n");
}

TEST_F(HostKeys, NoneAcceptsAndWarns) {
  use({unpinned()});
  const auto done = run_true({"--host-keys", "none"});
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_TRUE(contains(done.err, "host key")) << told(done);
}

TEST_F(HostKeys, RevokedIsRefused) {
  use({unpinned()});
  write(known_hosts(), server_.known_hosts_line() + server_.known_hosts_line("@revoked "));
  expect_refused(run_true(), "revoked");
}

TEST_F(HostKeys, RevokedIsRefusedAlsoWhenPinnedOrNotChecked) {
  write(known_hosts(), server_.known_hosts_line("@revoked "));
  use({host(server_, "web01")});
  expect_refused(run_true(), "revoked");
  use({unpinned()});
  expect_refused(run_true({"--host-keys", "accept-new"}), "revoked");
}

TEST_F(HostKeys, CertAuthorityIsHonouredOrRefusedByName) {
  use({unpinned()});
  write(known_hosts(), server_.known_hosts_line("@cert-authority "));
  const auto done = run_true();
  EXPECT_EQ(done.code, 15) << "the server has a plain key, no certificate\n" << told(done);
}

TEST_F(HostKeys, PinnedLineIsEnough) {
  use({host(server_, "web01")});
  const auto done = run_true();
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_FALSE(std::filesystem::exists(known_hosts()));
}

TEST_F(HostKeys, PinnedFingerprintIsEnough) {
  use({unpinned().set("host_key", server_.fingerprint())});
  const auto done = run_true();
  EXPECT_EQ(done.code, 0) << told(done);
}

TEST_F(HostKeys, PinnedWinsOverKnownHosts) {
  use({host(server_, "web01")});
  write(known_hosts(), line_with(other_key()));
  const auto done = run_true();
  EXPECT_EQ(done.code, 0) << told(done);
}

TEST_F(HostKeys, WrongPinIsRefusedEvenIfKnown) {
  write(known_hosts(), server_.known_hosts_line());
  const auto other = other_key();
  use({unpinned().set("host_key", other.substr(0, other.rfind(' ')))});
  expect_refused(run_true(), "host key");
  use({unpinned().set("host_key", "SHA256:" + std::string(43, 'A'))});
  expect_refused(run_true(), "host key");
}

TEST_F(HostKeys, MalformedPinIsWrongInventory) {
  use({unpinned().set("host_key", "SHA256:short")});
  const auto done = run_true();
  EXPECT_EQ(done.code, 2) << told(done);
  EXPECT_TRUE(contains(done.err, "inventory.yaml:")) << told(done);
}

TEST_F(HostKeys, SshConfigSaysWhereAndHow) {
  use({unpinned()});
  write(file("elsewhere"), line_with(server_.host_key()));
  write(home() + "/.ssh/config", "Host *\n  UserKnownHostsFile " + file("elsewhere") + "\n");
  const auto done = run_true();
  EXPECT_EQ(done.code, 0) << told(done);
}

TEST_F(HostKeys, HostKeyAliasIsTheNameThatCounts) {
  use({unpinned()});
  write(known_hosts(), "the-alias " + server_.host_key() + '\n');
  write(home() + "/.ssh/config", "Host web01\n  HostKeyAlias the-alias\n");
  const auto done = run_true();
  EXPECT_EQ(done.code, 0) << told(done);
}

TEST_F(HostKeys, StrictCheckingSwitchedOffInSshConfigActsAsAcceptNew) {
  use({unpinned()});
  write(home() + "/.ssh/config", "Host *\n  StrictHostKeyChecking no\n");
  EXPECT_EQ(run_true().code, 0);
  write(known_hosts(), line_with(other_key()));
  EXPECT_EQ(run_true().code, 15);
}

TEST_F(HostKeys, ManyNewHostsAreLearnedWithoutLosingAny) {
  std::vector<Host> hosts;
  for (int i = 10; i < 42; ++i) hosts.push_back(unpinned());
  SshServer any({.authorized_keys = {key().public_line}, .address = "0.0.0.0"});
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    hosts[i].name = "web" + std::to_string(i + 10);
    hosts[i].set("address", "127.55.0." + std::to_string(i + 1)).set("port", std::to_string(any.endpoint().port));
  }
  use(hosts);
  const auto done = run_true({"--host-keys", "accept-new", "--fanout", "32"});
  EXPECT_EQ(done.code, 0) << told(done);
  const std::string learned = read(known_hosts());
  for (std::size_t i = 1; i <= hosts.size(); ++i)
    EXPECT_TRUE(contains(learned, "127.55.0." + std::to_string(i) + "]")) << i;
}

}  // namespace
}  // namespace muster::e2e
