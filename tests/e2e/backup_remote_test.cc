// muster backup create of machines on another hypervisor: a second libvirtd in its own namespaces, reached over a real
// sshd, whose sessions are inside of them. Disks are read there; what is new comes here.
#include <signal.h>

#include "tests/e2e/backup_remote_fixture.h"

namespace muster::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

TEST_F(BackupRemote, ARunningMachineIsReadThereAndRestoredHere) {
  TrackedDisk& disk = start();
  disk.write(kMiB, 3 * kMiB, 0x5a);
  const json first = create_there();
  EXPECT_EQ(first.value("name", ""), "web01");
  EXPECT_EQ(first.at("uri"), uri());
  expect_same(restored("web01@latest"), disk.bytes());
  EXPECT_FALSE(has_job());

  next_second();
  disk.write(41 * kMiB, kPiece, 0x33);
  const json second = create_there();
  EXPECT_EQ(second.at("parent"), first.at("point"));
  EXPECT_EQ(second.at("bytes_dirty"), kPiece);
  EXPECT_EQ(whole_because(second), "");
  expect_same(restored("web01@latest"), disk.bytes());
  EXPECT_EQ(checkpoints().size(), 1U);
  expect(0, {"check", "--read-data", "-q"});
}

TEST_F(BackupRemote, AMachineThatIsOffGoesOnByItsBitmaps) {
  TrackedDisk& disk = start();
  disk.write(kMiB, 3 * kMiB, 0x5a);
  create_there();
  disk.write(9 * kMiB, kPiece, 0x61);
  hypervisor_->virsh({"destroy", "web01", "--graceful"});
  next_second();
  const json off = create_there();
  EXPECT_EQ(off.at("consistency"), "off");
  EXPECT_EQ(whole_because(off), "");
  EXPECT_LE(off.at("bytes_read").get<std::uint64_t>(), 256U << 10);
  expect_same(restored("web01@latest"), disk.bytes());
}

// What that host keeps can write, and cannot read.
TEST_F(BackupRemote, ThatHostGetsAKeyOfItsOwnThatReadsNothing) {
  start().write(kMiB, kMiB, 0x5a);
  const std::string owner = usual_key_file();
  create_there();
  std::string given;
  for (const auto& entry : fs::directory_iterator(fs::path(owner).parent_path()))
    if (entry.path() != owner) given = entry.path();
  ASSERT_TRUE(contains(given, ".on-" + server_->endpoint().address)) << given;
  EXPECT_EQ(backup({"restore", "-q", "web01@latest:vda", "--to", file("x.raw"), "--key-file", given}).code, 12);
  const auto keys = expect(0, {"key", "list"});
  EXPECT_TRUE(contains(keys.out, "muster on " + server_->endpoint().address)) << told(keys);
  next_second();
  create_there();
  EXPECT_EQ(expect(0, {"key", "list"}).out, keys.out) << "one key, for every night";
}

TEST_F(BackupRemote, WhatIsSaidThereIsSaidHere) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  create_there();
  hypervisor_->virsh({"destroy", "web01"});
  run({.argv = {"qemu-img", "resize", "-q", image(), "80M"}});
  next_second();
  const json grown = create_there();
  EXPECT_NE(whole_because(grown), "");
  EXPECT_TRUE(contains(last_errors_, "web01: disk vda is read whole: its size changed")) << last_errors_;
  const auto unknown = backup(remote_words("web99"));
  EXPECT_EQ(unknown.code, 2) << told(unknown);
  EXPECT_TRUE(contains(unknown.out, "no domain 'web99' on qemu:///system, on 127.")) << told(unknown);
}

TEST_F(BackupRemote, WhoCannotBeReachedIsNamedAndTheOthersGoOn) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  const std::string here = hypervisor_->uri() + "#web01";
  server_->kill_hard();
  const auto part = backup({"create", uri() + "#web02", here, "--scratch", hypervisor_->directory(), "--json"});
  EXPECT_EQ(part.code, 3) << told(part);
  EXPECT_TRUE(contains(part.out, "over SSH")) << told(part);
  expect_same(restored("web01@latest"), disk.bytes());
  EXPECT_EQ(backup({"create", uri() + "#web02"}).code, 15);
}

TEST_F(BackupRemote, NoMusterThereIsSaidWithWhatToDo) {
  start();
  const auto none = backup({"create", uri() + "#web01", "--remote-muster", "/nowhere/muster"});
  EXPECT_EQ(none.code, 4) << told(none);
  EXPECT_TRUE(contains(none.err, "--remote-muster")) << told(none);
}

TEST_F(BackupRemote, ItCanBeCopiedThere) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  const Words words{"create", uri() + "#web01", "--copy-muster", "-q"};
  const std::string forgotten = file("there/.cache/muster/worker-of-old");
  fs::create_directories(forgotten);
  fs::last_write_time(forgotten, fs::file_time_type::clock::now() - std::chrono::hours(40 * 24));
  expect(0, words);
  EXPECT_FALSE(fs::exists(forgotten));
  expect_same(restored("web01@latest"), disk.bytes());
  const auto copies = [&] {
    std::vector<fs::path> all;
    for (const auto& entry : fs::directory_iterator(file("there/.cache/muster"))) all.push_back(entry.path());
    return all;
  };
  ASSERT_EQ(copies().size(), 1U);
  const auto made = fs::last_write_time(copies().front() / "muster-backup-worker");
  next_second();
  expect(0, words);
  ASSERT_EQ(copies().size(), 1U);
  EXPECT_EQ(fs::last_write_time(copies().front() / "muster-backup-worker"), made) << "once";
}

TEST_F(BackupRemote, AnInterruptUndoesWhatWasBegunThere) {
  TrackedDisk& disk = start();
  disk.write(kMiB, 8 * kMiB, 0x5a);
  MusterProcess process(backup_command(remote_words("web01", {"--limit-rate", "64K"})));
  ASSERT_TRUE(wait_until([&] { return has_job(); }));
  process.signal(SIGINT);
  EXPECT_EQ(process.finish().code, 130);
  EXPECT_FALSE(has_job());
  EXPECT_TRUE(checkpoints().empty());
  create_there();
  expect_same(restored("web01@latest"), disk.bytes());
}

// Killed here, the worker there sees the end of its input.
TEST_F(BackupRemote, KilledHereItEndsThere) {
  TrackedDisk& disk = start();
  disk.write(kMiB, 8 * kMiB, 0x5a);
  {
    MusterProcess process(backup_command(remote_words("web01", {"--limit-rate", "64K"})));
    ASSERT_TRUE(wait_until([&] { return has_job(); }));
    process.signal(SIGKILL);
    process.finish();
  }
  EXPECT_TRUE(wait_until([&] { return !has_job(); }));
  create_there();
  expect_same(restored("web01@latest"), disk.bytes());
  expect(0, {"check", "-q"});
}

// The connection goes, and with it whoever writes.
TEST_F(BackupRemote, ALostConnectionLosesNothing) {
  TrackedDisk& disk = start();
  disk.write(kMiB, 8 * kMiB, 0x5a);
  create_there();
  next_second();
  disk.write(20 * kMiB, 8 * kMiB, 0x66);
  {
    MusterProcess process(backup_command(remote_words("web01", {"--limit-rate", "64K"})));
    ASSERT_TRUE(wait_until([&] { return has_job(); }));
    for (const pid_t pid : process_tree(process.pid()))
      if (process_name(pid) == "ssh") ::kill(pid, SIGKILL);
    const auto done = process.finish();
    EXPECT_EQ(done.code, 15) << told(done);
  }
  EXPECT_TRUE(wait_until([&] { return !has_job(); }));
  next_second();
  create_there();
  expect_same(restored("web01@latest"), disk.bytes());
  expect(0, {"check", "-q"});
}

}  // namespace
}  // namespace muster::e2e
