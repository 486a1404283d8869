// What is done to make a machine, on its way to another process: nothing is lost.
#include "vm/making.h"

#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace muster::vm {
namespace {

using nlohmann::json;

Making sent(const Making& making) { return making_from_json(json::parse(to_json(making).dump())); }

TEST(Making, ArrivesAsItWasSent) {
  const Making before{.uuid = "11111111-2222-4333-8444-555555555555",
                      .definition = "<domain>\n  <name>web01 &amp; \xc3\xa4</name>\n</domain>",
                      .volumes = {{.pool = "fast",
                                   .spec = {.name = "web01-vda.raw",
                                            .format = virt::VolumeFormat::raw,
                                            .capacity_bytes = (1ULL << 53) + 1,
                                            .preallocation = virt::Preallocation::falloc,
                                            .backing = virt::BackingImage{.path = "/m/vda.qcow2", .format = "qcow2"},
                                            .read_only = true},
                                   .copy_of = {"other", "master-vda.raw"},
                                   .made_here = true,
                                   .copy_of_file = "/m/vda.raw",
                                   .shares_blocks = true,
                                   .seed = SeedRequest{.host_name = "web01",
                                                       .ssh_keys = {"ssh-ed25519 AAAA x", "ssh-rsa BBBB"},
                                                       .user_data = "#!/bin/sh\n",
                                                       .network_config = "version: 2\n"},
                                   .target = "vda"}},
                      .autostart = true,
                      .variables = std::string("\0\xff raw", 6)};
  const auto after = sent(before);
  EXPECT_EQ(after.uuid, before.uuid);
  EXPECT_EQ(after.definition, before.definition);
  EXPECT_EQ(after.autostart, before.autostart);
  EXPECT_EQ(after.variables, before.variables);
  ASSERT_EQ(after.volumes.size(), 1U);
  const auto &was = before.volumes[0], &is = after.volumes[0];
  EXPECT_EQ(is.pool, was.pool);
  EXPECT_EQ(is.spec.name, was.spec.name);
  EXPECT_EQ(is.spec.format, was.spec.format);
  EXPECT_EQ(is.spec.capacity_bytes, was.spec.capacity_bytes);
  EXPECT_EQ(is.spec.preallocation, was.spec.preallocation);
  ASSERT_TRUE(is.spec.backing);
  EXPECT_EQ(is.spec.backing->path, was.spec.backing->path);
  EXPECT_EQ(is.spec.backing->format, was.spec.backing->format);
  EXPECT_EQ(is.spec.read_only, was.spec.read_only);
  EXPECT_EQ(is.copy_of.pool, was.copy_of.pool);
  EXPECT_EQ(is.copy_of.name, was.copy_of.name);
  EXPECT_EQ(is.made_here, was.made_here);
  EXPECT_EQ(is.copy_of_file, was.copy_of_file);
  EXPECT_EQ(is.shares_blocks, was.shares_blocks);
  EXPECT_EQ(is.target, was.target);
  ASSERT_TRUE(is.seed);
  EXPECT_EQ(is.seed->host_name, was.seed->host_name);
  EXPECT_EQ(is.seed->ssh_keys, was.seed->ssh_keys);
  EXPECT_EQ(is.seed->user_data, was.seed->user_data);
  EXPECT_EQ(is.seed->network_config, was.seed->network_config);
}

TEST(Making, LeavesOutWhatIsNotThere) {
  const auto after =
      sent({.uuid = "u", .definition = "<domain/>", .volumes = {{.pool = "p", .spec = {.name = "n"}}, {}}});
  ASSERT_EQ(after.volumes.size(), 2U);
  const auto& volume = after.volumes[0];
  EXPECT_FALSE(volume.seed || volume.spec.backing || volume.made_here || volume.shares_blocks || volume.spec.read_only);
  EXPECT_TRUE(volume.copy_of.name.empty() && volume.copy_of_file.empty() && volume.target.empty());
  EXPECT_EQ(volume.spec.format, virt::VolumeFormat::qcow2);
  EXPECT_FALSE(after.autostart);
  EXPECT_EQ(after.variables, "");
}

TEST(Making, UuidsAreRandomOnesAsLibvirtWritesThem) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string uuid = fresh_uuid();
    ASSERT_EQ(uuid.size(), 36U);
    for (std::size_t at = 0; at < uuid.size(); ++at) {
      const bool dash = at == 8 || at == 13 || at == 18 || at == 23;
      ASSERT_TRUE(dash ? uuid[at] == '-' : std::string("0123456789abcdef").find(uuid[at]) != std::string::npos) << uuid;
    }
    ASSERT_EQ(uuid[14], '4') << uuid;
    ASSERT_NE(std::string("89ab").find(uuid[19]), std::string::npos) << uuid;
    ASSERT_TRUE(seen.insert(uuid).second);
  }
}

TEST(Making, ADisksSourceIsAsItsPoolHasVolumes) {
  using Kind = virt::DiskSource::Kind;
  struct {
    virt::PoolFacts facts;
    Kind kind;
    std::string path, pool, volume;
  } const cases[] = {
      {{.type = "dir", .path = "/images"}, Kind::file, "/images/v", "", ""},
      {{.type = "netfs", .path = "/nfs"}, Kind::file, "/nfs/v", "", ""},
      {{.type = "logical", .path = "/dev/vg"}, Kind::block, "/dev/vg/v", "", ""},
      {{.type = "rbd", .path = ""}, Kind::volume, "", "p", "v"},
  };
  for (const auto& one : cases) {
    const auto source = expected_source("p", one.facts, "v");
    EXPECT_EQ(source.kind, one.kind) << one.facts.type;
    EXPECT_EQ(source.path, one.path) << one.facts.type;
    EXPECT_EQ(source.pool, one.pool) << one.facts.type;
    EXPECT_EQ(source.volume, one.volume) << one.facts.type;
  }
}

}  // namespace
}  // namespace muster::vm
