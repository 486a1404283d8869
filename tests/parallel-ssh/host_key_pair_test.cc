// Host keys that OpenSSH and dropbear take for their own.
#include "parallel-ssh/host_key_pair.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/child_process.h"
#include "base/unique_fd.h"
#include "tests/parallel-ssh/support.h"

namespace muster::ssh {
namespace {

class HostKeyPairs : public testing::Test {
 protected:
  ~HostKeyPairs() override { ::unlink(path_.c_str()); }
  // What a program prints of a key in a file, which it gets as its last argument.
  std::string told_of(const std::string& key, std::vector<std::string> argv) const {
    ::unlink(path_.c_str());
    base::write_all(base::UniqueFd(::open(path_.c_str(), O_CREAT | O_WRONLY | O_EXCL, 0600)).get(), key);
    argv.push_back(path_);
    base::ChildProcess child({"sh", "-c", "exec \"$@\"", "sh", argv[0], argv[1], argv[2], argv[3]});
    EXPECT_EQ(child.wait(std::chrono::seconds(20)).code, 0);
    std::string text(64U << 10, '\0');
    const auto got = ::read(child.standard_output().get(), text.data(), text.size());
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }

 private:
  std::string path_ = testing::TempDir() + "muster-host-key-" + std::to_string(::getpid());
};

TEST_F(HostKeyPairs, AreOpenssh) {
  for (const auto& [kind, type] : {std::pair{HostKeyKind::ed25519, "ssh-ed25519 "},
                                   {HostKeyKind::ecdsa, "ecdsa-sha2-nistp256 "},
                                   {HostKeyKind::rsa, "ssh-rsa "}}) {
    const auto pair = make_host_key_pair(kind);
    EXPECT_TRUE(pair.public_line.starts_with(type)) << pair.public_line;
    EXPECT_TRUE(told_of(pair.private_text, {"ssh-keygen", "-y", "-f"}).starts_with(pair.public_line)) << type;
    EXPECT_EQ(public_line_of_openssh(pair.private_text), pair.public_line);
    EXPECT_NE(make_host_key_pair(kind).public_line, pair.public_line);
  }
}

TEST_F(HostKeyPairs, AreDropbears) {
  const auto pair = make_host_key_pair(HostKeyKind::ed25519);
  const auto told = told_of(dropbear_host_key(pair), {"dropbearkey", "-y", "-f"});
  EXPECT_NE(told.find(pair.public_line), std::string::npos) << told;
  EXPECT_EQ(public_line_of_dropbear(dropbear_host_key(pair)), pair.public_line);
  const auto failure = failure_of([] { dropbear_host_key(make_host_key_pair(HostKeyKind::rsa)); });
  EXPECT_TRUE(failure.is(base::Code::usage, "ed25519")) << failure;
  EXPECT_THROW(dropbear_host_key({.private_text = "nonsense", .public_line = ""}), base::Error);
}

TEST_F(HostKeyPairs, WhatIsNoKeyHasNoPublicHalf) {
  for (const std::string text : {"", "nonsense", "-----BEGIN OPENSSH PRIVATE KEY-----\n"}) {
    EXPECT_EQ(public_line_of_openssh(text), std::nullopt);
    EXPECT_EQ(public_line_of_dropbear(text), std::nullopt);
  }
  const auto whole = dropbear_host_key(make_host_key_pair(HostKeyKind::ed25519));
  EXPECT_EQ(public_line_of_dropbear(whole.substr(0, whole.size() - 1)), std::nullopt);
}

}  // namespace
}  // namespace muster::ssh
