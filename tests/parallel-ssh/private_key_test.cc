#include "parallel-ssh/private_key.h"

#include <gtest/gtest.h>

#include "parallel-ssh/agent_broker.h"
#include "parallel-ssh/key_store.h"
#include "tests/parallel-ssh/support.h"

namespace muster::ssh {
namespace {

struct Keys : testing::Test {
  FileTree tree;
  std::string key(const std::string& name, const std::string& type = "ed25519", const std::string& passphrase = {},
                  const std::vector<std::string>& more = {}) const {
    make_key(tree.path(name), type, passphrase, more);
    return tree.path(name);
  }
  // The blob in a key's .pub file, read without libssh.
  static std::string blob_of(const std::string& path) {
    const std::string line = base::read_file(path + ".pub", 10'000);
    const std::size_t start = line.find(' ') + 1;
    return base::base64_decode(std::string_view(line).substr(start, line.find(' ', start) - start)).value();
  }
};
struct PrivateKeyFile : Keys {};

TEST_F(PrivateKeyFile, EachTypeLoadsAndKnowsItsPublicHalf) {
  const std::vector<std::vector<std::string>> kinds{{"ed25519"},
                                                    {"ecdsa", "-b", "256"},
                                                    {"ecdsa", "-b", "521"},
                                                    {"rsa", "-b", "2048"},
                                                    {"rsa", "-b", "2048", "-m", "PEM"}};
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const auto path = key("k" + std::to_string(i), kinds[i][0], "", {kinds[i].begin() + 1, kinds[i].end()});
    const auto loaded = load_private_key(path, std::nullopt);
    ASSERT_EQ(loaded.state, KeyFileState::loaded) << kinds[i][0] << ": " << loaded.reason;
    EXPECT_EQ(loaded.key->public_blob(), blob_of(path)) << kinds[i][0];
    EXPECT_EQ(public_blob_of_file(path), blob_of(path)) << kinds[i][0];
    EXPECT_EQ(loaded.reason, "");
  }
}

TEST_F(PrivateKeyFile, AnEncryptedKeyAsksForItsPassphrase) {
  for (const std::string form : {"RFC4716", "PEM"}) {
    const auto path = key("k" + form, "ecdsa", "secret", {"-m", form});
    EXPECT_EQ(load_private_key(path, std::nullopt).state, KeyFileState::needs_passphrase) << form;
    const auto loaded = load_private_key(path, "secret");
    ASSERT_EQ(loaded.state, KeyFileState::loaded) << form << ": " << loaded.reason;
    EXPECT_EQ(loaded.key->public_blob(), blob_of(path));
    const auto wrong = load_private_key(path, "wrong");
    EXPECT_EQ(wrong.state, KeyFileState::unusable);
    EXPECT_EQ(wrong.reason, path + ": wrong passphrase, or not a private key that can be read");
    EXPECT_EQ(wrong.key, nullptr);
  }
}

TEST_F(PrivateKeyFile, WhatIsNoKeyIsUnusableAndNamed) {
  tree.add("garbage", "not a key\n");
  tree.add("empty", "");
  tree.add("cut", base::read_file(key("whole"), 10'000).substr(0, 120));
  for (const auto* name : {"garbage", "empty", "cut"}) {
    const auto loaded = load_private_key(tree.path(name), std::nullopt);
    EXPECT_EQ(loaded.state, KeyFileState::unusable) << name;
    EXPECT_EQ(loaded.reason, tree.path(name) + ": not a private key that can be read");
  }
  EXPECT_EQ(load_private_key(tree.path(), std::nullopt).state, KeyFileState::unusable);  // a directory
}

TEST_F(PrivateKeyFile, ATooLargeFileIsNotRead) {
  tree.add("large", std::string(70'000, 'x'));
  const auto loaded = load_private_key(tree.path("large"), std::nullopt);
  EXPECT_EQ(loaded.state, KeyFileState::unusable);
  EXPECT_NE(loaded.reason.find("larger than the limit of 65536 bytes"), std::string::npos) << loaded.reason;
}

TEST_F(PrivateKeyFile, AMissingFileIsNoError) {
  EXPECT_EQ(load_private_key(tree.path("none"), std::nullopt).state, KeyFileState::missing);
  EXPECT_EQ(public_blob_of_file(tree.path("none")), std::nullopt);
}

TEST_F(PrivateKeyFile, ThePublicHalfIsFoundBesideOrInTheFile) {
  const auto path = key("k", "ed25519", "secret");
  const auto blob = blob_of(path);
  EXPECT_EQ(public_blob_of_file(path + ".pub"), blob);
  std::filesystem::remove(path + ".pub");
  EXPECT_EQ(public_blob_of_file(path), blob);
  tree.add("bad.pub", "ssh-ed25519 ???\n");
  EXPECT_EQ(public_blob_of_file(tree.path("bad")), std::nullopt);
}

struct KeyStoreTest : Keys {
  std::vector<std::string> asked;
  std::optional<std::string> passphrase;
  KeyStore store{[this](const std::string& path) {
    asked.push_back(path.substr(path.rfind('/') + 1));
    return passphrase;
  }};

  Target target(const std::vector<std::string>& files, const std::string& agent = {}) const {
    Target made;
    for (const auto& file : files) made.identity_files.push_back(tree.path(file));
    made.agent_socket = agent;
    return made;
  }
  // What is offered, without the directory: `a`, `a (agent)`, ...
  std::string offers(const Credentials& credentials) const {
    std::string text;
    for (const auto& offered : credentials.keys) {
      const auto& name = offered.name;
      text += (text.empty() ? "" : ", ") + name.substr(name.rfind('/') == std::string::npos ? 0 : name.rfind('/') + 1);
      EXPECT_NE(offered.key == nullptr, offered.agent_key.empty()) << name;
    }
    return text;
  }
  static std::string problems(const Credentials& credentials) { return inventory::joined(credentials.problems); }
};

TEST_F(KeyStoreTest, FilesAreOfferedInOrderAndMissingOnesPassedOver) {
  key("b");
  key("a");
  const auto credentials = store.credentials(target({"b", "none", "a"}));
  EXPECT_EQ(offers(credentials), "b, a");
  EXPECT_EQ(problems(credentials), "");
  EXPECT_EQ(credentials.agent, nullptr);
  EXPECT_EQ(credentials.password, std::nullopt);
}

TEST_F(KeyStoreTest, AFileIsReadOnce) {
  key("a");
  const auto first = store.credentials(target({"a"}));
  std::filesystem::remove(tree.path("a"));
  const auto second = store.credentials(target({"a"}));
  ASSERT_EQ(second.keys.size(), 1U);
  EXPECT_EQ(second.keys[0].key, first.keys[0].key);
}

TEST_F(KeyStoreTest, AFileThatWasNamedIsMissedByName) {
  auto wanted = target({"none"});
  wanted.only_these_identities = true;
  wanted.password = "password";
  const auto credentials = store.credentials(wanted);
  EXPECT_EQ(problems(credentials), tree.path("none") + " does not exist");
  EXPECT_EQ(credentials.password, "password");
}

TEST_F(KeyStoreTest, ThePassphraseIsAskedForOnce) {
  key("locked", "ed25519", "secret");
  passphrase = "secret";
  for (int host = 0; host < 3; ++host) EXPECT_EQ(offers(store.credentials(target({"locked"}))), "locked");
  EXPECT_EQ(asked, std::vector<std::string>{"locked"});
}

TEST_F(KeyStoreTest, NobodyToAskOrAWrongPassphraseIsAProblemToldEachHost) {
  key("locked", "ed25519", "secret");
  for (int host = 0; host < 2; ++host)
    EXPECT_EQ(problems(store.credentials(target({"locked"}))),
              tree.path("locked") + " needs a passphrase: add it to an agent with ssh-add");
  key("other", "ed25519", "secret");
  passphrase = "wrong";
  EXPECT_EQ(problems(store.credentials(target({"other"}))),
            tree.path("other") + ": wrong passphrase, or not a private key that can be read");
  EXPECT_EQ(asked.size(), 2U);
}

TEST_F(KeyStoreTest, AnAgentThatIsNotThereIsAProblemAndFilesStillCount) {
  key("a");
  const auto credentials = store.credentials(target({"a"}, tree.path("no-agent")));
  EXPECT_EQ(offers(credentials), "a");
  EXPECT_EQ(credentials.agent, nullptr);
  EXPECT_NE(problems(credentials).find("ssh agent at " + tree.path("no-agent")), std::string::npos);
}

TEST_F(KeyStoreTest, TheAgentsOtherKeysComeLast) {
  RealAgent agent(tree.path("agent"));
  for (const auto* name : {"one", "two", "mine"}) agent.add(key(name));
  const auto credentials = store.credentials(target({"mine"}, agent.socket()));
  EXPECT_EQ(offers(credentials), "mine, comment (agent), comment (agent)");
  EXPECT_EQ(credentials.keys.at(1).agent_key, blob_of(tree.path("one")));
  EXPECT_EQ(credentials.keys.at(2).agent_key, blob_of(tree.path("two")));
  EXPECT_NE(credentials.agent, nullptr);
}

TEST_F(KeyStoreTest, OnlyTheseIdentitiesKeepsTheAgentsOtherKeysBack) {
  RealAgent agent(tree.path("agent"));
  agent.add(key("other"));
  key("mine");
  auto wanted = target({"mine"}, agent.socket());
  wanted.only_these_identities = true;
  EXPECT_EQ(offers(store.credentials(wanted)), "mine");
}

TEST_F(KeyStoreTest, ALockedFileGoesThroughTheAgentThatHoldsItsKey) {
  RealAgent agent(tree.path("agent"));
  agent.add(key("locked"));
  ASSERT_EQ(run_program({"ssh-keygen", "-q", "-p", "-N", "secret", "-f", tree.path("locked")}).status, 0);
  const auto credentials = store.credentials(target({"locked"}, agent.socket()));
  EXPECT_EQ(offers(credentials), "locked (agent)");
  EXPECT_EQ(credentials.keys.at(0).agent_key, blob_of(tree.path("locked")));
  EXPECT_EQ(problems(credentials), "");
  EXPECT_TRUE(asked.empty());
}

// `IdentityFile key.pub`: the private half is nowhere but in the agent (a token, another machine's agent).
TEST_F(KeyStoreTest, APublicKeyNamedAsIdentityChoosesTheAgentsKey) {
  RealAgent agent(tree.path("agent"));
  agent.add(key("other"));
  agent.add(key("mine"));
  std::filesystem::remove(tree.path("mine"));
  for (const auto* name : {"mine", "mine.pub"}) {
    auto wanted = target({name}, agent.socket());
    wanted.only_these_identities = true;
    const auto credentials = store.credentials(wanted);
    ASSERT_EQ(offers(credentials), std::string(name) + " (agent)");
    EXPECT_EQ(credentials.keys.at(0).agent_key, blob_of(tree.path("mine")));
    EXPECT_EQ(problems(credentials), "");
  }
}

TEST_F(KeyStoreTest, NoMoreKeysAreOfferedThanAServerTakes) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < KeyStore::kMaxOffers + 2; ++i) key(names.emplace_back("k" + std::to_string(i)));
  const auto credentials = store.credentials(target(names));
  EXPECT_EQ(offers(credentials), "k0, k1, k2, k3, k4");
  EXPECT_EQ(problems(credentials),
            "only the first 5 of 7 keys were tried: name the right one with --key or identity_file");
}

}  // namespace
}  // namespace muster::ssh
