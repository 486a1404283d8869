// What clones shall be, on its way to a hypervisor's worker: nothing is lost.
#include "clone/clone_request.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/parallel-ssh/support.h"

namespace muster::clone {
namespace {

using base::Code;
using nlohmann::json;

CloneRequest sent(const CloneRequest& request) { return clone_request_from(json::parse(to_json(request).dump())); }

TEST(CloneRequest, ArrivesAsItWasSent) {
  const CloneRequest before{
      .master = {.name = "web", .number = 3},
      .kind = CloneKind::reflink,
      .pool = "fast",
      .cpus = 4,
      .memory_bytes = 8ULL << 30,
      .size_bytes = 20ULL << 30,
      .networks = {vm::parse_network("bridge=br0,model=e1000e"), vm::parse_network("user")},
      .ssh_keys = {"ssh-ed25519 AAAA x"},
      .user = "admin",
      .user_data = "#!/bin/sh\n",
      .give_host_keys = true,
      .autostart = true,
      .mac_prefix = "52:54:01",
      .taken_macs = {"52:54:01:00:00:01", "52:54:01:00:00:02"},
      .machines = {
          {.name = "web01"},
          {.name = "web02",
           .fixed = StaticAddress{.address = "192.0.2.2/24", .gateway = "192.0.2.1", .name_servers = {"::1"}}}}};
  const auto after = sent(before);
  EXPECT_EQ(after.master.name, "web");
  EXPECT_EQ(after.master.number, 3U);
  EXPECT_EQ(after.kind, CloneKind::reflink);
  EXPECT_EQ(after.pool, "fast");
  EXPECT_EQ(after.cpus, 4U);
  EXPECT_EQ(after.memory_bytes, 8ULL << 30);
  EXPECT_EQ(after.size_bytes, 20ULL << 30);
  ASSERT_EQ(after.networks.size(), 2U);
  EXPECT_EQ(after.networks[0].kind, vm::NetworkRequest::Kind::bridge);
  EXPECT_EQ(after.networks[0].source, "br0");
  EXPECT_EQ(after.networks[0].model, "e1000e");
  EXPECT_EQ(after.networks[1].kind, vm::NetworkRequest::Kind::user);
  EXPECT_EQ(after.ssh_keys, before.ssh_keys);
  EXPECT_EQ(after.user, "admin");
  EXPECT_EQ(after.user_data, before.user_data);
  EXPECT_TRUE(after.give_host_keys);
  EXPECT_TRUE(after.autostart);
  EXPECT_EQ(after.mac_prefix, before.mac_prefix);
  EXPECT_EQ(after.taken_macs, before.taken_macs);
  ASSERT_EQ(after.machines.size(), 2U);
  EXPECT_EQ(after.machines[0].name, "web01");
  EXPECT_FALSE(after.machines[0].fixed);
  ASSERT_TRUE(after.machines[1].fixed);
  EXPECT_EQ(after.machines[1].fixed->address, "192.0.2.2/24");
  EXPECT_EQ(after.machines[1].fixed->gateway, "192.0.2.1");
  EXPECT_EQ(after.machines[1].fixed->name_servers, std::vector<std::string>{"::1"});
}

TEST(CloneRequest, LeavesOpenWhatWasNotAskedFor) {
  const auto after = sent({.master = {.name = "web"}});
  EXPECT_FALSE(after.master.number || after.cpus || after.memory_bytes || after.autostart || after.give_host_keys);
  EXPECT_EQ(after.user, "root");
  EXPECT_EQ(after.kind, CloneKind::automatic);
  EXPECT_TRUE(after.networks.empty() && after.machines.empty() && after.taken_macs.empty());
}

TEST(CloneKinds, HaveNames) {
  for (const auto kind : {CloneKind::automatic, CloneKind::linked, CloneKind::reflink, CloneKind::full})
    EXPECT_EQ(clone_kind_named(name_of(kind)), kind);
  EXPECT_TRUE(ssh::failure_of([] { clone_kind_named("instant"); }).is(Code::usage, "'instant'"));
}

}  // namespace
}  // namespace muster::clone
