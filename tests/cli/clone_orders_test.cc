// What `muster clone create` is asked for, out of words and options: names, addresses and kinds that can be.
#include "cli/clone_orders.h"

#include <gtest/gtest.h>

#include "tests/parallel-ssh/support.h"

namespace muster::cli {
namespace {

using base::Code;
using clone::CloneKind;
using Words = std::vector<std::string>;
using Options = std::map<std::string, Words, std::less<>>;

class CloneOrders : public testing::Test {
 protected:
  clone::CloneRequest request(const Words& words, const Options& options = {}) {
    const Arguments arguments{.options = options, .words = {}, .notes = {}};
    const CommandRow& row = *find_command("clone");
    const Settings settings(row, arguments, {});
    const Program program{.command = row,
                          .arguments = arguments,
                          .settings = settings,
                          .console = console_,
                          .interrupts = interrupts_,
                          .ctx = ctx_};
    return clone_request_of({.program = program, .workers = workers_, .verb = "create", .words = words});
  }
  ssh::Failure failure(const Words& words, const Options& options = {}) {
    return ssh::failure_of([&] { request(words, options); });
  }
  static Words names_of(const clone::CloneRequest& request) {
    Words names;
    for (const auto& machine : request.machines) names.push_back(machine.name);
    return names;
  }

  Interrupts interrupts_;
  Console console_;
  base::Context ctx_;
  HypervisorWorkers workers_{ctx_, base::seconds(1)};  // none is started
  inventory::FileTree tree_;
};

TEST_F(CloneOrders, NamesAreTakenInTheirOrderWithRanges) {
  const auto made = request({"web@2", "web[09-11]", "db", "Cache-1.example.org", "x[a:c]y"});
  EXPECT_EQ(made.master.name, "web");
  EXPECT_EQ(made.master.number, 2U);
  EXPECT_EQ(names_of(made), (Words{"web09", "web10", "web11", "db", "Cache-1.example.org", "xay", "xby", "xcy"}));
  EXPECT_EQ(made.kind, CloneKind::automatic);
  EXPECT_FALSE(made.cpus || made.memory_bytes || made.autostart || made.machines[0].fixed);
  EXPECT_EQ(made.size_bytes, 0U);
}

TEST_F(CloneOrders, NamesThatCannotBeAreUsageErrors) {
  for (const std::string name :
       {"-web", "web-", ".web", "web.", "a..b", ".", "..", "a/b", "a b", "w\xc3\xa4\x62", "a:b", "a,b", "web*", "a'b"})
    EXPECT_EQ(failure({"m", name}).code, Code::usage) << name;
  EXPECT_TRUE(failure({"m", std::string(64, 'x')}).is(Code::usage, "at most 63"));
  EXPECT_FALSE(failure({"m", std::string(63, 'x')}).code);
  EXPECT_TRUE(failure({"m", "web1", "web[1-2]"}).is(Code::usage, "'web1' is named twice"));
  EXPECT_TRUE(failure({"m@0", "web1"}).is(Code::usage, "MASTER@GENERATION"));
  EXPECT_TRUE(failure({"m"}).is(Code::usage, "MASTER NAME..."));
  EXPECT_TRUE(failure({}).is(Code::usage, "MASTER NAME..."));
}

TEST_F(CloneOrders, ThousandsAreTakenAndMoreRefused) {
  EXPECT_EQ(request({"m", "web[00001-10000]"}).machines.size(), kMaxClones);
  EXPECT_TRUE(failure({"m", "web[00001-10001]"}).is(Code::usage, "10001 machines"));
}

TEST_F(CloneOrders, AddressesGoWithTheNamesInOrder) {
  const auto made = request(
      {"m", "web[1-3]"},
      {{"address", {"192.0.2.[11-13]/24"}}, {"gateway", {"192.0.2.1"}}, {"dns", {"192.0.2.53", "2001:db8::53"}}});
  for (std::size_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(made.machines[i].fixed);
    EXPECT_EQ(made.machines[i].fixed->address, "192.0.2.1" + std::to_string(i + 1) + "/24");
    EXPECT_EQ(made.machines[i].fixed->gateway, "192.0.2.1");
    EXPECT_EQ(made.machines[i].fixed->name_servers, (Words{"192.0.2.53", "2001:db8::53"}));
  }
}

TEST_F(CloneOrders, AddressesAreWithTheLengthOfTheirNetwork) {
  for (const char* good : {"10.0.0.1/24", "10.0.0.1/0", "10.0.0.1/32", "2001:db8::1/64", "::1/128", "fe80::1/0"})
    EXPECT_FALSE(failure({"m", "web"}, {{"address", {good}}}).code) << good;
  for (const char* bad : {"10.0.0.1", "10.0.0.1/", "10.0.0.1/33", "10.0.0.1/-1", "10.0.0.1/x", "10.0.0.1/24/24",
                          "10.0.0/24", "10.0.0.256/24", "2001:db8::1/129", "2001:db8::/1x", "host/24", "/24", "",
                          "10.0.0.1/0024", "10.0.0.1/99999999999", " 10.0.0.1/24"})
    EXPECT_EQ(failure({"m", "web"}, {{"address", {bad}}}).code, Code::usage) << bad;
  EXPECT_TRUE(failure({"m", "web[1-3]"}, {{"address", {"10.0.0.[1-2]/24"}}}).is(Code::usage, "2 addresses, for 3"));
  EXPECT_TRUE(failure({"m", "web"}, {{"address", {"10.0.0.[1-2]/24"}}}).is(Code::usage, "2 addresses, for 1"));
}

TEST_F(CloneOrders, GatewayAndNameServersGoWithAddresses) {
  for (const char* option : {"gateway", "dns"}) {
    EXPECT_TRUE(failure({"m", "web"}, {{option, {"10.0.0.1"}}}).is(Code::usage, "goes with --address")) << option;
    EXPECT_TRUE(
        failure({"m", "web"}, {{option, {"10.0.0"}}, {"address", {"10.0.0.2/24"}}}).is(Code::usage, "no address"))
        << option;
  }
}

TEST_F(CloneOrders, OneKindIsChosen) {
  for (const auto kind : {CloneKind::linked, CloneKind::reflink, CloneKind::full})
    EXPECT_EQ(request({"m", "web"}, {{clone::name_of(kind), {}}}).kind, kind);
  EXPECT_TRUE(failure({"m", "web"}, {{"linked", {}}, {"full", {}}}).is(Code::usage, "--linked and --full"));
}

TEST_F(CloneOrders, ExpectIsHeldAgainstTheNames) {
  EXPECT_FALSE(failure({"m", "web[1-3]"}, {{"expect", {"3"}}}).code);
  EXPECT_TRUE(failure({"m", "web[1-3]"}, {{"expect", {"2"}}}).is(Code::refused, "3 machines"));
  EXPECT_EQ(failure({"m", "web"}, {{"expect", {"x"}}}).code, Code::usage);
}

TEST_F(CloneOrders, SizesAndTheRestAreRead) {
  tree_.add("key.pub", "ssh-ed25519 AAAAx me\n# no key\nssh-rsa AAAAy two\n");
  tree_.add("user-data", "#!/bin/sh\n");
  const auto made = request({"m", "web"}, {{"cpus", {"4"}},
                                           {"memory", {"3G"}},
                                           {"size", {"20G"}},
                                           {"pool", {"fast"}},
                                           {"network", {"bridge=br0", "user"}},
                                           {"autostart", {}},
                                           {"mac-prefix", {"52:54:01"}},
                                           {"ssh-key", {tree_.path("key.pub")}},
                                           {"user-data", {tree_.path("user-data")}}});
  EXPECT_EQ(made.cpus, 4U);
  EXPECT_EQ(made.memory_bytes, 3ULL << 30);
  EXPECT_EQ(made.size_bytes, 20ULL << 30);
  EXPECT_EQ(made.pool, "fast");
  ASSERT_EQ(made.networks.size(), 2U);
  EXPECT_EQ(made.networks[0].source, "br0");
  EXPECT_TRUE(made.autostart);
  EXPECT_EQ(made.mac_prefix, "52:54:01");
  EXPECT_EQ(made.ssh_keys, (Words{"ssh-ed25519 AAAAx me", "ssh-rsa AAAAy two"}));
  EXPECT_EQ(made.user_data, "#!/bin/sh\n");
}

TEST_F(CloneOrders, ValuesThatCannotBeAreUsageErrors) {
  tree_.add("private", "-----BEGIN OPENSSH PRIVATE KEY-----\n");
  const std::vector<Options> all = {
      {{"cpus", {"0"}}},
      {{"cpus", {"4097"}}},
      {{"cpus", {"many"}}},
      {{"memory", {"much"}}},
      {{"size", {"-1"}}},
      {{"network", {"telepathy"}}},
      {{"limit", {"web*"}}},
      {{"ssh-key", {"/nowhere"}}},
      {{"user-data", {"/nowhere"}}},
      {{"ssh-key", {tree_.path("private")}}},
  };
  for (const auto& options : all) EXPECT_EQ(failure({"m", "web"}, options).code, Code::usage) << options.begin()->first;
}

}  // namespace
}  // namespace muster::cli
