// What users write about machines, read or refused; and the texts of a seed.
#include "vm/machine_spec.h"

#include <filesystem>
#include <fstream>
#include <functional>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/error.h"
#include "vm/endpoint.h"
#include "vm/machines_file.h"
#include "vm/seed.h"
#include "vm/seed_files.h"
#include "yaml/document.h"

namespace muster::vm {
namespace {

using base::Code;

constexpr const char* kKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBs me@here";

std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const base::Error& e) {
    return e.code() == Code::usage ? e.what() : std::string("not usage: ") + e.what();
  }
  return "accepted";
}

TEST(Disk, IsReadFromItsOption) {
  const auto disk = parse_disk("20G,preallocate=full,format=raw,pool=fast,bus=scsi");
  EXPECT_EQ(disk.size_bytes, 20ULL << 30);
  EXPECT_EQ(disk.preallocation, virt::Preallocation::full);
  EXPECT_EQ(disk.format, virt::VolumeFormat::raw);
  EXPECT_EQ(disk.pool, "fast");
  EXPECT_EQ(disk.bus, DiskBus::scsi);
  EXPECT_EQ(parse_disk("from=gold.qcow2").from, "gold.qcow2");
  EXPECT_EQ(parse_disk("30G,backing=images/gold.qcow2").backing, "images/gold.qcow2");
  EXPECT_EQ(parse_disk("size=1G").size_bytes, 1ULL << 30);
}

TEST(Disk, WhatMakesNoSenseIsRefused) {
  const auto told = [](const char* text) { return refusal([&] { parse_disk(text); }); };
  EXPECT_EQ(told("format=raw"), "disk 'format=raw' has neither size nor image: write a size, as in 20G");
  EXPECT_NE(told("20G,from=a,backing=b").find("not both"), std::string::npos);
  EXPECT_NE(told("20G,backing=b,format=raw").find("cannot have a backing image"), std::string::npos);
  EXPECT_NE(told("20G,from=a,preallocate=full").find("cannot be preallocated"), std::string::npos);
  EXPECT_NE(told("20G,format=raw,preallocate=metadata").find("not usage"), std::string::npos);
  EXPECT_NE(told("20G,fromat=raw").find("did you mean 'format'?"), std::string::npos);
  EXPECT_NE(told("20G,zzz=1").find("write size, format, preallocate"), std::string::npos);
  EXPECT_NE(told("20G,raw").find("write key=value"), std::string::npos);
  EXPECT_NE(told("20G,,bus=scsi").find("nothing stands between"), std::string::npos);
  EXPECT_NE(told("20X").find("size '20X'"), std::string::npos);
  EXPECT_NE(told("0").find("more than nothing"), std::string::npos);
  EXPECT_NE(told("20G,format=vmdk").find("write qcow2 or raw"), std::string::npos);
}

TEST(Network, IsReadFromItsOption) {
  const auto bridge = parse_network("bridge=br0,mac=52:54:00:12:34:56,model=e1000e");
  EXPECT_EQ(bridge.kind, NetworkRequest::Kind::bridge);
  EXPECT_EQ(bridge.source, "br0");
  EXPECT_EQ(bridge.mac, "52:54:00:12:34:56");
  EXPECT_EQ(bridge.model, "e1000e");
  EXPECT_EQ(parse_network("user").kind, NetworkRequest::Kind::user);
  EXPECT_EQ(parse_network("none").kind, NetworkRequest::Kind::none);
  const auto told = [](const char* text) { return refusal([&] { parse_network(text); }); };
  EXPECT_NE(told("default").find("write network=NAME"), std::string::npos);
  EXPECT_NE(told("mac=52:54:00:12:34:56").find("names none"), std::string::npos);
  EXPECT_NE(told("user,mac=53:54:00:12:34:56").find("being even"), std::string::npos);
  EXPECT_NE(told("user,mac=52-54-00-12-34-56").find("six bytes"), std::string::npos);
  EXPECT_NE(told("user,model=<x>").find("model '<x>'"), std::string::npos);
}

TEST(Machine, SurvivesTheWayToItsHypervisor) {
  MachineRequest request;
  request.name = "web01";
  request.cpus = 3;
  request.firmware = Firmware::uefi;
  request.disks = {parse_disk("20G,preallocate=falloc,bus=scsi"), parse_disk("from=a")};
  request.networks = {parse_network("bridge=br0")};
  request.iso = "x.iso";
  request.autostart = true;
  request.seed = SeedRequest{.host_name = "h", .ssh_keys = {kKey}, .user_data = "#!x", .network_config = "n"};
  EXPECT_EQ(to_json(request_from_json(to_json(request))), to_json(request));
}

TEST(Machine, BadNamesAreRefused) {
  for (const char* name : {"", "-x", ".x", "a/b", "a b", "<x>", "a'b"}) {
    MachineRequest request;
    request.name = name;
    EXPECT_NE(refusal([&] { check(request); }).find("machine name"), std::string::npos) << name;
  }
}

TEST(Seed, TextsSayWhatWasAsked) {
  const SeedRequest seed{
      .host_name = "web01", .ssh_keys = {"ssh-ed25519 AAAA it's"}, .user_data = {}, .network_config = {}};
  EXPECT_EQ(meta_data(seed, "id-1"), "instance-id: 'id-1'\nlocal-hostname: 'web01'\n");
  EXPECT_EQ(user_data(seed), "#cloud-config\nhostname: 'web01'\nssh_authorized_keys:\n  - 'ssh-ed25519 AAAA it''s'\n");
  // What is written is what another reads.
  const auto document = yaml::parse(user_data(seed), "user-data");
  EXPECT_EQ(document.root.find("ssh_authorized_keys")->items.at(0).text, "ssh-ed25519 AAAA it's");
}

TEST(Seed, UserDataOfTheUsersOwnStaysAsItIs) {
  const SeedRequest seed{
      .host_name = "web01", .ssh_keys = {kKey}, .user_data = "#!/bin/sh\ntrue\n", .network_config = "version: 2\n"};
  EXPECT_EQ(user_data(seed), "#!/bin/sh\ntrue\n");
  EXPECT_NE(meta_data(seed, "i").find(std::string("public-keys:\n  - '") + kKey), std::string::npos);
  EXPECT_EQ(seed_image(seed, "i").size() % 2048, 0U);
  SeedRequest bad = seed;
  bad.user_data = "echo hello\n";
  EXPECT_NE(refusal([&] { check(bad); }).find("#cloud-config"), std::string::npos);
}

class Files : public testing::Test {
 protected:
  Files() : directory_(std::filesystem::path(testing::TempDir()) / ("machines-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(directory_);
    write("key.pub", std::string("# mine\n") + kKey + "\n");
  }
  ~Files() override { std::filesystem::remove_all(directory_); }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ / name) << text;
    return directory_ / name;
  }
  // Without the directory.
  std::string told(const std::string& text) {
    std::string all = refusal([&] { read_machines(write("machines.yaml", text)); });
    const std::string directory = directory_.string() + "/";
    for (auto at = all.find(directory); at != std::string::npos; at = all.find(directory))
      all.erase(at, directory.size());
    return all;
  }

 private:
  std::filesystem::path directory_;
};

TEST_F(Files, KeysAreThoseOfPublicKeyFiles) {
  EXPECT_FALSE(read_seed({}));
  const auto file = write("two.pub", std::string(kKey) + "\n\necdsa-sha2-nistp256 AAAAE2 x\r\n");
  const auto seed = read_seed({.host_name = {}, .public_keys = {file}, .user_data = {}, .network_config = {}});
  ASSERT_TRUE(seed);
  EXPECT_EQ(seed->ssh_keys, (std::vector<std::string>{kKey, "ecdsa-sha2-nistp256 AAAAE2 x"}));
  const auto keys = [&](const std::string& path) {
    return refusal([&] { read_seed({.host_name = {}, .public_keys = {path}, .user_data = {}, .network_config = {}}); });
  };
  EXPECT_NE(keys(write("id", "-----BEGIN OPENSSH PRIVATE KEY-----\n")).find("id.pub"), std::string::npos);
  EXPECT_NE(keys(write("no", "hello\n")).find("no public key: 'hello'"), std::string::npos);
  EXPECT_NE(keys(write("empty", "\n")).find("holds no public key"), std::string::npos);
  EXPECT_NE(keys("/nonexistent").find("/nonexistent"), std::string::npos);
}

TEST_F(Files, MachinesAreReadWithTheirDefaults) {
  const auto file = write("machines.yaml", R"(
connection: qemu:///system
defaults:
  memory: 2G
  ssh_keys: [key.pub]
  networks: [network=default]
machines:
  web01:
    cpus: 2
    disks:
      - size: 20G
        backing: gold.qcow2
      - 1G,format=raw
    networks:
      - {bridge: br0, mac: '52:54:00:12:34:56'}
    start: true
  db01:
    connection: qemu+ssh://other/system
    memory: 4G
    hostname: database
    disks: [10G]
)");
  const auto machines = read_machines(file);
  ASSERT_EQ(machines.size(), 2U);
  EXPECT_EQ(machines[0].request.name, "web01");
  EXPECT_EQ(machines[0].connection, "qemu:///system");
  EXPECT_TRUE(machines[0].start);
  EXPECT_EQ(machines[0].request.memory_bytes, 2ULL << 30);
  EXPECT_EQ(machines[0].request.disks.at(0).backing, "gold.qcow2");
  EXPECT_EQ(machines[0].request.disks.at(1).format, virt::VolumeFormat::raw);
  EXPECT_EQ(machines[0].request.networks.at(0).source, "br0");
  EXPECT_EQ(machines[0].request.seed.value().ssh_keys, std::vector<std::string>{kKey});
  EXPECT_EQ(machines[1].connection, "qemu+ssh://other/system");
  EXPECT_FALSE(machines[1].start);
  EXPECT_EQ(machines[1].request.memory_bytes, 4ULL << 30);
  EXPECT_EQ(machines[1].request.networks.at(0).source, "default");
  EXPECT_EQ(machines[1].request.seed.value().host_name, "database");
}

TEST_F(Files, MistakesHaveTheirPlace) {
  EXPECT_EQ(told("machines:\n  web01:\n    memmory: 2G\n"),
            "machines.yaml:3:5: unknown key 'memmory'; did you mean 'memory'?");
  EXPECT_EQ(told("machines:\n  web01:\n    memory: 2X\n").substr(0, 27), "machines.yaml:3:13: size '2");
  EXPECT_EQ(told("machines:\n  web01:\n    disks:\n      - size: 20G\n        fromat: raw\n"),
            "machines.yaml:5:9: unknown key 'fromat' of a disk; did you mean 'format'?");
  EXPECT_EQ(told("machines:\n  web01:\n    disks: 20G\n"),
            "machines.yaml:3:12: 'disks' is no list; begin each of them with '- '");
  EXPECT_EQ(told("machines:\n  web01:\n    start: maybe\n"),
            "machines.yaml:3:12: 'start' is neither true nor false; write one of them");
  EXPECT_NE(told("machines:\n  web 01:\n").find("machines.yaml:2:3: machine name 'web 01'"), std::string::npos);
  EXPECT_NE(told("machines:\n  a:\n  a:\n").find("written twice"), std::string::npos);
  EXPECT_NE(told("- web01\n").find("machines.yaml:1:1: the file is no mapping"), std::string::npos);
  EXPECT_NE(told("defaults:\n  cpus: 1\n").find("there are no machines"), std::string::npos);
  EXPECT_NE(told("machines:\n  web01:\n    ssh_keys: [none.pub]\n").find("none.pub"), std::string::npos);
  EXPECT_NE(told("machines:\n  web01:\n    disks: [{format: raw}]\n").find("neither size nor image"),
            std::string::npos);
}

// The example of the manual page is one.
TEST_F(Files, TheManualsExampleLoads) {
  std::ifstream page(std::string(MUSTER_SOURCE_DIR) + "/man/muster-machines.5");
  std::string text, line;
  bool inside = false;
  while (std::getline(page, line)) {
    if (line == ".Ed") inside = false;
    if (inside) text += line + "\n";
    if (line.starts_with(".Bd") && text.empty()) inside = true;
  }
  write("admin.pub", std::string(kKey) + "\n");
  const auto machines = read_machines(write("example.yaml", text));
  ASSERT_EQ(machines.size(), 2U) << text;
  EXPECT_EQ(machines[0].request.name, "web01");
  EXPECT_EQ(machines[0].request.disks.at(0).backing, "debian-12.qcow2");
  EXPECT_EQ(machines[1].request.disks.size(), 2U);
}

TEST(Endpoint, IsAnAddressWithOrWithoutAPort) {
  EXPECT_EQ(parse_endpoint("192.0.2.7").port, 22);
  EXPECT_EQ(parse_endpoint("192.0.2.7:2222").port, 2222);
  EXPECT_EQ(parse_endpoint("2001:db8::7").host, "2001:db8::7");
  EXPECT_EQ(parse_endpoint("[2001:db8::7]:2222").port, 2222);
  EXPECT_EQ(parse_endpoint("[2001:db8::7]").host, "2001:db8::7");
  EXPECT_NE(refusal([] { parse_endpoint("host.example:22"); }).find("numeric"), std::string::npos);
  EXPECT_NE(refusal([] { parse_endpoint("192.0.2.7:0"); }).find("port"), std::string::npos);
}

}  // namespace
}  // namespace muster::vm
