#include "parallel-ssh/openssh_client.h"

#include <algorithm>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/parallel-ssh/support.h"

namespace muster::ssh {
namespace {

using base::milliseconds;

Target target() {
  Target made;
  made.name = made.ssh_config_host = "web1";
  made.address = "10.0.0.1";
  made.session.port = 2222;
  made.session.user = "admin";
  return made;
}

std::string words(const std::vector<std::string>& arguments) { return inventory::joined(arguments); }

bool has_option(const std::vector<std::string>& arguments, const std::string& option) {
  for (std::size_t i = 0; i + 1 < arguments.size(); ++i)
    if (arguments[i] == "-o" && arguments[i + 1] == option) return true;
  return false;
}

TEST(OpensshArguments, BatchNeverAsksAndTalksToTheHostAsResolved) {
  auto wanted = target();
  wanted.connect_timeout = milliseconds(1'500);
  EXPECT_EQ(words(openssh_arguments(wanted, Interaction::batch)),
            "ssh -o StrictHostKeyChecking=yes -o BatchMode=yes -o EscapeChar=none -o ServerAliveInterval=15 "
            "-o ConnectTimeout=2 -o HostName=10.0.0.1 -o Port=2222 -o User=admin -- web1");
}

TEST(OpensshArguments, AShellMayAsk) {
  EXPECT_EQ(words(openssh_arguments(target(), Interaction::interactive)),
            "ssh -o StrictHostKeyChecking=yes -o ConnectTimeout=10 -o HostName=10.0.0.1 -o Port=2222 -o User=admin -- "
            "web1");
}

TEST(OpensshArguments, TheFirstValueWinsThereSoOnlyTrustStandsBeforeInventoryArguments) {
  auto wanted = target();
  wanted.ssh_config_file = "/my/config";
  wanted.openssh_args = {"-o", "ProxyCommand=nc %h %p"};
  const auto arguments = openssh_arguments(wanted, Interaction::interactive);
  EXPECT_EQ(words({arguments.begin(), arguments.begin() + 7}),
            "ssh -F /my/config -o StrictHostKeyChecking=yes -o ProxyCommand=nc %h %p");
}

TEST(OpensshArguments, ATimeoutBelowASecondIsOne) {
  auto wanted = target();
  wanted.connect_timeout = milliseconds(0);
  EXPECT_TRUE(has_option(openssh_arguments(wanted, Interaction::batch), "ConnectTimeout=1"));
}

TEST(OpensshArguments, HostKeyModesAndFiles) {
  auto wanted = target();
  wanted.host_key_mode = HostKeyMode::accept_new;
  wanted.known_hosts_files = {"/a b/known", "/c"};
  const auto arguments = openssh_arguments(wanted, Interaction::batch);
  EXPECT_TRUE(has_option(arguments, "StrictHostKeyChecking=accept-new"));
  EXPECT_TRUE(has_option(arguments, "UserKnownHostsFile=\"/a b/known\" \"/c\""));
  EXPECT_TRUE(has_option(arguments, "GlobalKnownHostsFile=/dev/null"));  // these and no others
  wanted.host_key_mode = HostKeyMode::none;
  EXPECT_TRUE(has_option(openssh_arguments(wanted, Interaction::batch), "StrictHostKeyChecking=no"));
}

TEST(OpensshArguments, IdentitiesAndJumps) {
  auto wanted = target();
  wanted.identity_files = {"/k 1", "/k2"};
  EXPECT_FALSE(has_option(openssh_arguments(wanted, Interaction::batch), "IdentitiesOnly=yes"));
  wanted.only_these_identities = true;
  Target first = target(), second = target();
  second.address = "fe80::1";
  second.session.port = 22;
  wanted.jumps = {first, second};
  const auto arguments = openssh_arguments(wanted, Interaction::batch);
  EXPECT_TRUE(has_option(arguments, "IdentityFile=\"/k 1\""));
  EXPECT_TRUE(has_option(arguments, "IdentityFile=\"/k2\""));
  EXPECT_TRUE(has_option(arguments, "IdentitiesOnly=yes"));
  EXPECT_TRUE(has_option(arguments, "ProxyJump=admin@10.0.0.1:2222,admin@[fe80::1]:22"));
}

TEST(OpensshArguments, PinnedKeysReplaceTheUsersFiles) {
  auto wanted = target();
  wanted.known_hosts_files = {"/users"};
  wanted.pinned_host_keys = {key_line(1), key_line(2)};
  const auto arguments = openssh_arguments(wanted, Interaction::batch);
  EXPECT_TRUE(has_option(arguments, "UserKnownHostsFile=/dev/null"));
  EXPECT_TRUE(has_option(arguments, "GlobalKnownHostsFile=/dev/null"));
  EXPECT_TRUE(has_option(
      arguments, "KnownHostsCommand=/usr/bin/printf %%s\\n \"%H " + key_line(1) + "\" \"%H " + key_line(2) + "\""));
  EXPECT_EQ(words(arguments).find("/users"), std::string::npos);
  wanted.host_key_mode = HostKeyMode::none;
  EXPECT_TRUE(has_option(openssh_arguments(wanted, Interaction::batch), "StrictHostKeyChecking=yes"));
}

TEST(OpensshArguments, PinsItCannotCheckOrThatWouldBeACommandAreRefused) {
  auto wanted = target();
  wanted.pinned_host_keys = {"SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"};
  const auto print = failure_of([&] { openssh_arguments(wanted, Interaction::batch); });
  EXPECT_TRUE(print.is(Code::unsupported, "write the key line")) << print;
  for (const auto* key : {"ssh-ed25519 A\" /bin/sh", "ssh-ed25519 %h", "a\nb", "a'", "a\\"}) {
    wanted.pinned_host_keys = {key};
    EXPECT_EQ(failure_of([&] { openssh_arguments(wanted, Interaction::batch); }).code, Code::usage) << key;
  }
}

// The client itself reads back what we wrote: quotes, percent signs and all.
TEST(OpensshArguments, TheClientUnderstandsThem) {
  const FileTree tree;
  tree.add("config", "Host web1\n  Compression yes\n  Port 7\n");
  auto wanted = target();
  wanted.ssh_config_file = tree.path("config");
  wanted.identity_files = {"/k 1"};
  wanted.known_hosts_files = {"/a b", "/c"};
  wanted.jumps = {target()};
  wanted.jumps[0].address = "10.0.0.2";
  auto argv = openssh_arguments(wanted, Interaction::batch);
  argv.insert(argv.begin() + 1, "-G");
  const Ran ran = run_program(argv);
  ASSERT_EQ(ran.status, 0) << ran.err;
  for (const auto* line :
       {"\nhostname 10.0.0.1\n", "\nport 2222\n", "\nuser admin\n", "\nbatchmode yes\n", "\ncompression yes\n",
        "\nidentityfile /k 1\n", "\nproxyjump admin@[10.0.0.2]:2222\n", "\nconnecttimeout 10\n"})
    EXPECT_NE(ran.out.find(line), std::string::npos) << line << "\n" << ran.out;
  EXPECT_NE(ran.out.find("\nuserknownhostsfile /a b /c\n"), std::string::npos) << ran.out;
}

// A port of 127.0.0.1: listened on and never answered, or closed.
struct OpensshRun : testing::Test, OutputSink {
  void SetUp() override {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    socklen_t length = sizeof address;
    ASSERT_EQ(::bind(listener.get(), raw, length), 0);
    ASSERT_EQ(::listen(listener.get(), 4), 0);
    ASSERT_EQ(::getsockname(listener.get(), raw, &length), 0);
    wanted.address = wanted.ssh_config_host = "127.0.0.1";
    wanted.session.port = ntohs(address.sin_port);
    wanted.ssh_config_file = "/dev/null";
    wanted.known_hosts_files = {"/dev/null"};
  }
  void output(Stream, std::string_view bytes) override { shown += bytes; }
  Failure run(const CommandClocks& clocks = {}) {
    const CommandRequest request{.command = "true", .input = {}, .sudo = {}, .clocks = clocks};
    return failure_of([&] { run_over_openssh(wanted, request, *this, cancel); });
  }

  base::UniqueFd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  Target wanted = target();
  std::stop_source source;
  CancelSignal cancel{source.get_token()};
  std::string shown;
};

TEST_F(OpensshRun, ARefusedConnectionIsUnreachableInTheClientsWords) {
  listener.reset();
  const auto failure = run();
  EXPECT_TRUE(failure.is(Code::unreachable, "Connection refused")) << failure;
  EXPECT_EQ(failure.text.find('\n'), std::string::npos);
  EXPECT_EQ(shown, "");
}

TEST_F(OpensshRun, ASilentServerEndsAtTheConnectTimeout) {
  wanted.connect_timeout = milliseconds(200);
  const auto failure = run();
  EXPECT_TRUE(failure.is(Code::unreachable, "not logged in after 0.20s")) << failure;
}

TEST_F(OpensshRun, CancelledItEndsTheClient) {
  source.request_stop();
  EXPECT_EQ(run().code, Code::cancelled);
}

}  // namespace
}  // namespace muster::ssh
