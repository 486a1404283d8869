// Clones of a guest that reads no seed: who they are is written into their disks before they ever run, and their host
// keys are known by then. The master is a small guest as if it had run already.
#include <set>

#include <signal.h>

#include "base/durable_file.h"
#include "tests/e2e/clone_fixture.h"
#include "tests/e2e/guest.h"
#include "tests/e2e/over_ssh.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

using nlohmann::json;

constexpr const char* kMachineId = "5eed5eed5eed5eed5eed5eed5eed5eed";

class CloneOffline : public OverSsh<GuestCloneFixture> {
 protected:
  void SetUp() override {
    GuestCloneFixture::SetUp();
    if (IsSkipped()) return;
    make_lived_in();
    must_here({"master", "seal", "images/lived.qcow2", "--name", "lived", "--guest", "offline"});
    write_fleet();
  }

  // What debugfs says about the root of an image.
  std::string in_root(const std::string& raw, const Words& options) const {
    const auto table = json::parse(run({.argv = {"sfdisk", "--json", raw}}).out).at("partitiontable");
    const auto offset = table.at("partitions").at(0).at("start").get<std::uint64_t>() * 512;
    Words argv{"debugfs"};
    argv.insert(argv.end(), options.begin(), options.end());
    argv.push_back(raw + "?offset=" + std::to_string(offset));
    const auto done = run({.argv = argv});
    EXPECT_EQ(done.code, 0) << told(done);
    return done.out;
  }
  std::string flat(const std::string& name) const {
    must({"qemu-img", "convert", "-U", "-O", "raw", image(name), file("flat.raw")});
    return file("flat.raw");
  }
  std::string file_of(const std::string& clone, const std::string& path) const {
    return in_root(flat(clone + "-vda.qcow2"), {"-R", "cat " + path});
  }

 private:
  void make_lived_in() const {
    must({"qemu-img", "convert", "-O", "raw", guest_image().disk, file("lived.raw")});
    must({"dropbearkey", "-t", "ed25519", "-f", file("hostkey")});
    write(file("hostname"), "lived\n");
    write(file("machine-id"), std::string(kMachineId) + "\n");
    write(file("hosts"), "127.0.0.1 localhost\n127.0.1.1 lived\n");
    write(file("commands"), "cd etc\nrm hostname\nrm machine-id\nrm hosts\nwrite " + file("hostname") +
                                " hostname\nwrite " + file("machine-id") + " machine-id\nwrite " + file("hosts") +
                                " hosts\ncd dropbear\nwrite " + file("hostkey") + " dropbear_ed25519_host_key\n");
    in_root(file("lived.raw"), {"-w", "-f", file("commands")});
    must({"qemu-img", "convert", "-O", "qcow2", file("lived.raw"), image("lived.qcow2")});
    virsh({"pool-refresh", "images"});
  }
};

TEST_F(CloneOffline, TwoAreTwoMachinesWhoseKeysAreKnownBeforeTheyRun) {
  const auto made = inside({"clone", "create", "lived", "web[1-2]", "--on", hypervisor().uri(), "--linked", "--memory",
                            "160M", "--ssh-key", file("key.pub"), "--group", "web", "--json"},
                           std::chrono::seconds(60));
  ASSERT_EQ(made.code, 0) << told(made);
  EXPECT_FALSE(std::filesystem::exists(image("web1-seed.iso")));
  // Nobody has run yet.
  std::set<std::string> keys, machine_ids{kMachineId};
  const auto scanned = inside({"key", "scan", "web", "--via", "hypervisor", "--json"}, std::chrono::seconds(60));
  ASSERT_EQ(scanned.code, 0) << told(scanned);
  for (const auto& line : json_lines(scanned.out))
    if (line.value("type", "") == "result")
      for (const auto& key : line.at("host_keys")) keys.insert(key.get<std::string>());
  EXPECT_EQ(keys.size(), 2U) << scanned.out;
  EXPECT_EQ(file_of("web1", "/etc/hostname"), "web1\n");
  EXPECT_EQ(file_of("web1", "/etc/hosts"), "127.0.0.1 localhost\n127.0.1.1 web1\n");

  const auto ready = inside({"clone", "create", "lived", "web[1-2]", "--on", hypervisor().uri(), "--group", "web",
                             "--wait", "ssh", "--timeout", "90s", "--command", "cat /etc/hostname", "--json"},
                            std::chrono::seconds(110));
  ASSERT_EQ(ready.code, 0) << told(ready);
  for (const auto& line : json_lines(ready.out)) {
    if (line.value("type", "") != "result") continue;
    EXPECT_EQ(line.value("output", ""), line.value("name", "") + "\n") << line;
    EXPECT_TRUE(line.value("verified", false)) << line;
    machine_ids.insert(line.value("machine_id", ""));
    for (const auto& key : line["host_keys"]) EXPECT_TRUE(keys.contains(key.get<std::string>())) << line;
  }
  EXPECT_EQ(machine_ids.size(), 3U);
  EXPECT_EQ(inside({"run", "web", "--no-prefix", "--", "hostname"}, std::chrono::seconds(60)).code, 0);
  EXPECT_EQ(inside({"clone", "verify", "web"}, std::chrono::seconds(60)).code, 0);
  EXPECT_EQ(here({"master", "remove", "lived", "--yes"}).code, 5);
}

TEST_F(CloneOffline, WhoIsKilledWhileWritingLeavesNothingBehind) {
  // Stands still at the first change.
  std::filesystem::create_directories(file("bin"));
  write(file("bin/debugfs"), "#!/bin/sh\ncase \"$*\" in *-w*) echo $$ >" + file("at-work") +
                                 "; exec sleep 1000;; esac\nexec /sbin/debugfs \"$@\"\n");
  std::filesystem::permissions(file("bin/debugfs"), std::filesystem::perms::owner_all);
  MusterProcess process(
      {.argv = in_clean_environment(
           {program("muster"), "clone", "create", "lived", "web1", "-c", hypervisor().uri()},
           {"HOME=" + home(), "TMPDIR=" + file("tmp"), "PATH=" + file("bin") + ":/usr/sbin:/usr/bin:/sbin:/bin"})});
  ASSERT_TRUE(
      wait_until([&] { return std::filesystem::exists(file("at-work")) && read(file("at-work")).ends_with("\n"); }));
  // What it started sees that for itself.
  for (const pid_t pid : process_tree(process.pid()))
    if (process_name(pid).starts_with("muster")) ::kill(pid, SIGKILL);
  process.finish();
  // A real one would have ended by now.
  ::kill(std::stoi(read(file("at-work"))), SIGKILL);
  EXPECT_FALSE(contains(virsh({"domblklist", "web1"}), ".qcow2")) << "nobody can start it with half an identity";
  must_here({"clone", "create", "lived", "web1"});
  EXPECT_EQ(file_of("web1", "/etc/hostname"), "web1\n");
  EXPECT_EQ(file_of("web1", "/etc/machine-id").size(), 33U);
  EXPECT_NE(file_of("web1", "/etc/machine-id"), std::string(kMachineId) + "\n");
  EXPECT_TRUE(wait_until([&] { return std::filesystem::is_empty(file("tmp")); }));
}

TEST_F(CloneOffline, WhatHasNoWayIntoItIsRefusedBeforeAnythingIsMade) {
  write(file("user-data"), "#cloud-config\n");
  const auto seeded = here({"clone", "create", "lived", "web1", "--user-data", file("user-data")});
  EXPECT_EQ(seeded.code, 2) << told(seeded);
  EXPECT_TRUE(contains(seeded.err, "user-data is for cloud-init")) << seeded.err;
  EXPECT_EQ(here({"clone", "create", "lived", "web1", "--seed-host-key"}).code, 2);
  const auto addressed = here({"clone", "create", "lived", "web1", "--address", "192.0.2.11/24"});
  EXPECT_EQ(addressed.code, 4) << told(addressed);
  EXPECT_TRUE(contains(addressed.err, "nothing in it can be told an address")) << addressed.err;
  const auto unknown =
      here({"clone", "create", "lived", "web1", "--ssh-key", file("key.pub"), "--user", "nobody-here"});
  EXPECT_EQ(unknown.code, 2) << told(unknown);
  EXPECT_EQ(virsh({"list", "--all", "--name"}).find("web1"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(image("web1-vda.qcow2")));
}

// Its qemu-nbd serves the disks there, and what is written goes through SSH.
TEST_F(CloneOffline, DisksOfAnotherHostAreWrittenToOverSsh) {
  start_server(hypervisor());
  const std::string uri = uri_with_client();
  const auto made = run(on({"clone", "create", "lived", "web1", "--ssh-key", file("key.pub")}, uri));
  ASSERT_EQ(made.code, 0) << told(made);
  EXPECT_EQ(file_of("web1", "/etc/hostname"), "web1\n");
  EXPECT_TRUE(contains(file_of("web1", "/root/.ssh/authorized_keys"), key().public_line));
  const auto scanned = run(on({"key", "scan", "web1", "--via", "hypervisor", "--json"}, uri));
  EXPECT_EQ(scanned.code, 0) << told(scanned);
  EXPECT_TRUE(contains(scanned.out, "\"heard_by\":\"disk\"")) << told(scanned);
  // Nobody there has it open any more.
  virsh({"start", "web1"});
  EXPECT_EQ(hypervisor().state("web1"), "running");
}

}  // namespace
}  // namespace muster::e2e
