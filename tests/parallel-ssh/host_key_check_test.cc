#include "parallel-ssh/host_key_check.h"

#include <thread>

#include <gtest/gtest.h>

#include "base/durable_file.h"
#include "tests/parallel-ssh/support.h"

namespace muster::ssh {
namespace {

struct HostKeyCheckTest : testing::Test {
  FileTree tree;
  KeptEvents events;
  base::Context ctx = events.context();
  HostKeyCheck check;

  Target target(std::uint16_t port = 22, HostKeyMode mode = HostKeyMode::strict) const {
    Target made;
    made.address = made.host_key_name = "web1";
    made.session.port = made.host_key_port = port;
    made.known_hosts_files = {tree.path("known_hosts")};
    made.host_key_mode = mode;
    return made;
  }
  void know(const std::string& lines) const { tree.add("known_hosts", lines); }
  std::string file() const { return base::read_file(tree.path("known_hosts"), 10'000); }
  Failure verify(const Target& wanted, int key) {
    return failure_of([&] { check.verify(ctx, wanted, host_key(key)); });
  }
};

std::string print(int key) { return fingerprint(host_key(key).blob); }

TEST_F(HostKeyCheckTest, AKnownKeyIsTheHost) {
  know("web1 " + key_line(1) + "\nweb1 " + key_line(2) + "\n");
  EXPECT_FALSE(verify(target(), 1).code);
  EXPECT_FALSE(verify(target(), 2).code);
}

TEST_F(HostKeyCheckTest, StrictRefusesAnUnknownHostAndSaysWhatToDo) {
  know("web2 " + key_line(1) + "\n");
  const auto failure = verify(target(2222), 1);
  EXPECT_TRUE(failure.is(Code::refused, "host key of [web1]:2222 is not known: it shows " + print(1))) << failure;
  EXPECT_NE(failure.text.find("--host-keys accept-new"), std::string::npos);
  EXPECT_EQ(file(), "web2 " + key_line(1) + "\n");
}

TEST_F(HostKeyCheckTest, AChangedKeyIsRefusedInEveryModeThatChecks) {
  know("\nweb1 " + key_line(1) + "\n");
  for (const auto mode : {HostKeyMode::strict, HostKeyMode::accept_new}) {
    const auto failure = verify(target(22, mode), 2);
    EXPECT_TRUE(failure.is(Code::refused, "host key has changed: web1 shows " + print(2))) << failure;
    EXPECT_NE(failure.text.find(tree.path("known_hosts") + ":2"), std::string::npos) << failure;
    EXPECT_NE(failure.text.find("ssh-keygen -R 'web1'"), std::string::npos) << failure;
  }
  EXPECT_FALSE(verify(target(22, HostKeyMode::none), 2).code);
  EXPECT_EQ(file(), "\nweb1 " + key_line(1) + "\n");
}

TEST_F(HostKeyCheckTest, AcceptNewWritesOnceAndRemembersForTheRun) {
  know("db " + key_line(9) + "\n");
  const auto wanted = target(2222, HostKeyMode::accept_new);
  EXPECT_FALSE(verify(wanted, 1).code);
  EXPECT_FALSE(verify(wanted, 1).code);
  EXPECT_EQ(file(), "db " + key_line(9) + "\n[web1]:2222 " + key_line(1) + "\n");
  const auto failure = verify(wanted, 2);
  EXPECT_TRUE(failure.is(Code::refused, "[web1]:2222 changed during this run")) << failure;
  EXPECT_TRUE(events.warnings.empty());
  EXPECT_FALSE(failure_of([&] { HostKeyCheck().verify(ctx, target(2222), host_key(1)); }).code);  // in the next run
}

TEST_F(HostKeyCheckTest, AcceptNewMakesTheFileAndItsFolder) {
  auto wanted = target(22, HostKeyMode::accept_new);
  wanted.known_hosts_files = {tree.path("new/known_hosts"), tree.path("second")};
  EXPECT_FALSE(verify(wanted, 1).code);
  EXPECT_EQ(base::read_file(tree.path("new/known_hosts"), 1000), "web1 " + key_line(1) + "\n");
  EXPECT_FALSE(std::filesystem::exists(tree.path("second")));
}

TEST_F(HostKeyCheckTest, AKeyThatCannotBeKeptIsAWarning) {
  auto wanted = target(22, HostKeyMode::accept_new);
  wanted.known_hosts_files = {tree.path("no/such/folder/known_hosts")};
  EXPECT_FALSE(verify(wanted, 1).code);
  ASSERT_EQ(events.warnings.size(), 1U);
  EXPECT_NE(events.warnings[0].find("cannot keep the new host key of web1"), std::string::npos);
  EXPECT_EQ(verify(wanted, 2).code, Code::refused);
}

TEST_F(HostKeyCheckTest, ManyThreadsLearnAKeyOnce) {
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i)
      threads.emplace_back([&] { check.verify(ctx, target(22, HostKeyMode::accept_new), host_key(1)); });
  }
  EXPECT_EQ(file(), "web1 " + key_line(1) + "\n");
}

TEST_F(HostKeyCheckTest, ARevokedKeyIsRefusedWhateverElseSaysAndByItsOwnLine) {
  know("web1 " + key_line(2) + "\n@revoked * " + key_line(1) + "\n@revoked web1 " + key_line(2) + "\n");
  for (const auto mode : {HostKeyMode::strict, HostKeyMode::accept_new, HostKeyMode::none}) {
    auto wanted = target(2222, mode);
    wanted.pinned_host_keys = {key_line(2)};
    for (const auto& each : {wanted, target(22, mode)}) {
      const auto failure = verify(each, 2);
      EXPECT_TRUE(failure.is(Code::refused, "is revoked (" + tree.path("known_hosts") + ":3)")) << failure;
    }
  }
}

TEST_F(HostKeyCheckTest, PinnedKeysAloneCountWhereThereAreAny) {
  know("web1 " + key_line(1) + "\n");
  auto wanted = target(22, HostKeyMode::accept_new);
  wanted.pinned_host_keys = {key_line(2), print(3)};
  EXPECT_FALSE(verify(wanted, 2).code);
  EXPECT_FALSE(verify(wanted, 3).code);
  const auto failure = verify(wanted, 1);
  EXPECT_TRUE(failure.is(Code::refused, print(1))) << failure;
  EXPECT_NE(failure.text.find("pinned in the inventory"), std::string::npos) << failure;
  wanted.pinned_host_keys = {"nonsense"};
  EXPECT_EQ(verify(wanted, 1).code, Code::usage);
}

TEST_F(HostKeyCheckTest, ACertificateAuthorityNeedsOpensshsClient) {
  know("@cert-authority *1 " + key_line(1) + "\n");
  EXPECT_TRUE(check.needs_certificate(ctx, target()));
  EXPECT_FALSE(check.needs_certificate(ctx, target(22, HostKeyMode::none)));
  auto pinned = target();
  pinned.pinned_host_keys = {key_line(2)};
  EXPECT_FALSE(check.needs_certificate(ctx, pinned));
  for (const auto mode : {HostKeyMode::strict, HostKeyMode::accept_new}) {
    const auto failure = verify(target(22, mode), 2);
    EXPECT_TRUE(failure.is(Code::refused, "--transport openssh")) << failure;
  }
}

TEST_F(HostKeyCheckTest, AKeyBesideTheAuthorityIsEnough) {
  know("@cert-authority web1 " + key_line(1) + "\nweb1 " + key_line(2) + "\n");
  EXPECT_FALSE(check.needs_certificate(ctx, target()));
  EXPECT_FALSE(verify(target(), 2).code);
}

TEST_F(HostKeyCheckTest, AKeyOfThePlainNameCountsForItsOtherPorts) {
  know("web1 " + key_line(1) + "\n");
  EXPECT_FALSE(verify(target(2222), 1).code);
}

TEST_F(HostKeyCheckTest, AnotherPortsKeyIsNotThatOfThePlainName) {
  know("[web1]:2222 " + key_line(1) + "\n");
  EXPECT_TRUE(verify(target(), 1).is(Code::refused, "host key of web1 is not known"));
}

// Another sshd on the same host, in a container perhaps: OpenSSH calls it unknown, not changed.
TEST_F(HostKeyCheckTest, ADifferentKeyOfThePlainNameMakesNoChangeOfOtherPorts) {
  know("web1 " + key_line(1) + "\n");
  const auto failure = verify(target(2222), 2);
  EXPECT_TRUE(failure.is(Code::refused, "host key of [web1]:2222 is not known")) << failure;
  EXPECT_FALSE(verify(target(2222, HostKeyMode::accept_new), 2).code);
  EXPECT_EQ(file(), "web1 " + key_line(1) + "\n[web1]:2222 " + key_line(2) + "\n");
}

TEST_F(HostKeyCheckTest, ItsOwnKeyChangedIsRefusedThoughThePlainNameHasOne) {
  know("web1 " + key_line(1) + "\n[web1]:2222 " + key_line(2) + "\n");
  EXPECT_FALSE(verify(target(2222), 2).code);
  const auto failure = verify(target(2222), 3);
  EXPECT_TRUE(failure.is(Code::refused, "not the key at " + tree.path("known_hosts") + ":2")) << failure;
}

TEST_F(HostKeyCheckTest, AsksForAlgorithmsOfTheKeysThatCanBeChecked) {
  const std::string rsa_blob = std::string({0, 0, 0, 7}) + "ssh-rsa" + "key";
  know("web1 ssh-rsa " + base::base64_encode(rsa_blob) + "\n");
  EXPECT_EQ(check.algorithms(ctx, target()),
            "rsa-sha2-512,rsa-sha2-256,ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521");
  auto pinned = target();
  pinned.pinned_host_keys = {print(1), key_line(2)};
  EXPECT_EQ(check.algorithms(ctx, pinned),
            "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256");
}

}  // namespace
}  // namespace muster::ssh
