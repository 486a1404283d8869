// Backups that are killed, interrupted, beside others, or lose their machine or libvirtd: nothing is left, and the next
// one is right.
#include <algorithm>
#include <thread>

#include <signal.h>

#include "tests/e2e/backup_running_fixture.h"
#include "tests/e2e/libvirt_relay.h"

namespace muster::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class BackupInterrupted : public BackupRunning {};

TEST_F(BackupInterrupted, AfterQemuWasKilledTheDiskIsReadWholeAndItSaysWhy) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  disk.flush();
  create();
  next_second();
  kill_qemu();
  hypervisor_->virsh({"start", "web01"});
  disk.write(6 * kMiB, kPiece, 0x22);
  const json second = create();
  EXPECT_TRUE(contains(whole_because(second), "record of changes")) << second;
  EXPECT_TRUE(contains(last_errors_, "disk vda is read whole")) << last_errors_;
  expect_same(restored("web01@latest"), disk.bytes());
  EXPECT_EQ(checkpoints().size(), 1U);
  next_second();
  disk.write(7 * kMiB, kPiece, 0x23);
  const json third = create();
  EXPECT_EQ(third.at("bytes_dirty"), kPiece) << third;
  expect_same(restored("web01@latest"), disk.bytes());
}

TEST_F(BackupInterrupted, AnotherProgramsBackupIsNotEnded) {
  start();
  write(file("job.xml"), "<domainbackup mode='pull'><server transport='unix' socket='" + hypervisor_->directory() +
                             "/theirs'/></domainbackup>");
  fs::permissions(hypervisor_->directory(), fs::perms::all);
  hypervisor_->virsh({"backup-begin", "web01", file("job.xml")});
  const auto refused = expect(11, create_words("web01"));
  EXPECT_TRUE(contains(refused.out, "virsh domjobabort")) << told(refused);
  EXPECT_TRUE(has_job());
}

// With its worker, or without: that finds its way to the end alone.
TEST_F(BackupInterrupted, KilledBeforeAnyOfItsCallsTheNextOneIsRight) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  create();
  const std::string socket = hypervisor_->uri().substr(hypervisor_->uri().find('=') + 1);
  LibvirtRelay relay(file("relay"), socket);
  int places = 0;
  for (bool held = true; held && places < 40; ++places) {
    next_second();
    disk.write(2 * kMiB + static_cast<std::uint64_t>(places) * kPiece, kPiece, static_cast<unsigned char>(places + 1));
    relay.let_through(places / 2);
    Words words = create_words("web01");
    words[1] = relay.uri() + "#web01";
    MusterProcess muster(backup_command(words));
    EXPECT_TRUE(wait_until([&] { return relay.holds() || !is_running(muster.pid()); }));
    held = relay.holds();
    const auto tree = process_tree(muster.pid());
    if (held)
      for (const pid_t pid : tree)
        if (places % 2 == 0 || pid == muster.pid()) ::kill(pid, SIGKILL);
    relay.release();
    muster.finish();
    EXPECT_TRUE(wait_until([&] { return std::none_of(tree.begin(), tree.end(), is_running); }));
    next_second();
    create();
    expect_same(restored("web01@latest"), disk.bytes());
    EXPECT_EQ(checkpoints().size(), 1U) << "killed before call " << places / 2;
    EXPECT_FALSE(has_job()) << "killed before call " << places / 2;
    if (HasFailure()) break;
  }
  RecordProperty("places", places);
  EXPECT_GE(places, 8);
}

TEST_F(BackupInterrupted, KilledWhileItIsPausedTheGuestGoesOn) {
  start();
  LibvirtRelay relay(file("relay"), hypervisor_->uri().substr(hypervisor_->uri().find('=') + 1));
  Words words = create_words("web01", {"--freeze", "none", "--pause"});
  words[1] = relay.uri() + "#web01";
  // -1: where it is paused for certain. Which call comes there depends on what those before left to clear up.
  for (int calls = -1; calls < 12; ++calls) {
    if (calls < 0)
      relay.hold_backup_begin();
    else
      relay.let_through(calls);
    MusterProcess muster(backup_command(words));
    ASSERT_TRUE(wait_until([&] { return relay.holds() || !is_running(muster.pid()); }));
    EXPECT_TRUE(calls >= 0 || hypervisor_->state("web01") == "paused");
    if (!relay.holds()) break;
    for (const pid_t pid : process_tree(muster.pid())) ::kill(pid, SIGKILL);
    relay.release();
    muster.finish();
    EXPECT_TRUE(wait_until([&] { return hypervisor_->state("web01") == "running"; })) << "killed before call " << calls;
  }
  EXPECT_EQ(create().value("consistency", ""), "crash");
}

TEST_F(BackupInterrupted, ASecondBackupOfAMachineLeavesTheFirstAlone) {
  TrackedDisk& disk = start();
  disk.write(0, 8 * kMiB, 0x5a);
  expect(0, {"init", "-q", file("second")});
  MusterProcess first(backup_command(create_words("web01", {"--limit-rate", "2M"})));
  ASSERT_TRUE(wait_until([&] { return has_job(); })) << first.err();
  for (const auto& where : {repository(), file("second")}) {
    const auto busy = expect(11, create_words("web01", {"-R", where}));
    EXPECT_TRUE(contains(busy.out, "under way")) << told(busy);
    EXPECT_TRUE(has_job());
  }
  EXPECT_EQ(first.finish().code, 0) << first.err();
  expect_same(restored("web01@latest"), disk.bytes());
  EXPECT_EQ(checkpoints().size(), 1U);
}

TEST_F(BackupInterrupted, ALibvirtdThatIsRestartedMeanwhileCostsNothing) {
  TrackedDisk& disk = start();
  disk.write(0, 8 * kMiB, 0x5a);
  MusterProcess muster(backup_command(create_words("web01", {"--limit-rate", "2M"})));
  ASSERT_TRUE(wait_until([&] { return has_job(); })) << muster.err();
  hypervisor_->kill_daemon();
  hypervisor_->restart();
  const auto done = muster.finish();
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_FALSE(has_job());
  expect_same(restored("web01@latest"), disk.bytes());
  next_second();
  disk.write(2 * kMiB, kPiece, 0x22);
  const json second = create();
  EXPECT_EQ(second.at("bytes_dirty"), kPiece) << second;
  expect_same(restored("web01@latest"), disk.bytes());
}

TEST_F(BackupInterrupted, AMachineThatEndsMeanwhileMakesNoRestorePoint) {
  TrackedDisk& disk = start();
  disk.write(0, 8 * kMiB, 0x5a);
  create();
  next_second();
  disk.write(0, 8 * kMiB, 0x5b);
  MusterProcess muster(backup_command(create_words("web01", {"--limit-rate", "2M"})));
  ASSERT_TRUE(wait_until([&] { return has_job(); })) << muster.err();
  hypervisor_->virsh({"destroy", "web01", "--graceful"});
  // While it is read, or before anybody came to read it.
  const auto ended = muster.finish();
  EXPECT_TRUE(ended.code == 1 || ended.code == 15) << told(ended);
  EXPECT_EQ(points().size(), 1U);
  hypervisor_->virsh({"start", "web01"});
  const json second = create();
  EXPECT_EQ(whole_because(second), "");
  EXPECT_EQ(second.at("bytes_dirty"), 8 * kMiB);
  expect_same(restored("web01@latest"), disk.bytes());
  EXPECT_EQ(checkpoints().size(), 1U);
}

TEST_F(BackupInterrupted, AnInterruptedOneLeavesNothing) {
  TrackedDisk& disk = start();
  disk.write(0, 32 * kMiB, 0x5a);
  create();
  const auto before = checkpoints();
  next_second();
  disk.write(0, 32 * kMiB, 0x5b);
  for (const int number : {SIGINT, SIGKILL}) {
    MusterProcess muster(backup_command(create_words("web01", {"--limit-rate", "1M"})));
    ASSERT_TRUE(wait_until([&] { return has_job(); })) << muster.err();
    muster.signal(number);
    muster.finish();
    EXPECT_TRUE(wait_until([&] { return !has_job(); }));
    EXPECT_TRUE(wait_until([&] { return checkpoints() == before; }));
  }
  const json second = create();
  EXPECT_EQ(second.at("bytes_dirty"), 32 * kMiB);
  expect_same(restored("web01@latest"), disk.bytes());
}

// Nobody of those who began it lives: its scratch file would grow until the next night.
TEST_F(BackupInterrupted, KilledAltogetherItsJobEnds) {
  TrackedDisk& disk = start();
  disk.write(0, 8 * kMiB, 0x5a);
  MusterProcess muster(backup_command(create_words("web01", {"--limit-rate", "1M"})));
  ASSERT_TRUE(wait_until([&] { return has_job(); })) << muster.err();
  for (const pid_t pid : process_tree(muster.pid())) ::kill(pid, SIGKILL);
  muster.finish();
  EXPECT_TRUE(wait_until([&] { return !has_job(); }));
  next_second();
  create();
  expect_same(restored("web01@latest"), disk.bytes());
}

// What it had asked for is under way still when all are killed.
TEST_F(BackupInterrupted, AJobThatComesAfterAllWereKilledEnds) {
  start();
  LibvirtRelay relay(file("relay"), hypervisor_->uri().substr(hypervisor_->uri().find('=') + 1));
  relay.keep_what_is_held();
  relay.hold_backup_begin();
  Words words = create_words("web01");
  words[1] = relay.uri() + "#web01";
  MusterProcess muster(backup_command(words));
  ASSERT_TRUE(wait_until([&] { return relay.holds() || !is_running(muster.pid()); }));
  ASSERT_TRUE(relay.holds());
  for (const pid_t pid : process_tree(muster.pid())) ::kill(pid, SIGKILL);
  muster.finish();
  // It has looked, found nothing, and goes on.
  std::this_thread::sleep_for(std::chrono::seconds(2));
  const auto all = all_processes();
  EXPECT_TRUE(std::any_of(all.begin(), all.end(), [&](pid_t pid) {
    const std::string line = process_file(pid, "cmdline");
    return contains(line, "--guard") && contains(line, relay.uri());
  }));
  EXPECT_TRUE(checkpoints().empty());
  relay.release();
  // With the job comes its checkpoint, which stays.
  EXPECT_TRUE(wait_until([&] { return !checkpoints().empty(); }));
  EXPECT_TRUE(wait_until([&] { return !has_job(); }, 20'000));
  create();
}

TEST_F(BackupInterrupted, WithoutRoomForWhatTheGuestOverwritesItDoesNotBegin) {
  start();
  const std::string narrow = hypervisor_->directory() + "/narrow";
  fs::create_directory(narrow);
  ASSERT_EQ(
      run({.argv = hypervisor_->inside({"mount", "-t", "tmpfs", "-o", "size=16m,mode=1777", "none", narrow})}).code, 0);
  Launch launch = backup_command({"create", hypervisor_->uri() + "#web01", "--scratch", narrow, "--json"});
  launch.argv = hypervisor_->inside(launch.argv);
  const auto done = run(launch);
  EXPECT_EQ(done.code, 14) << told(done);
  EXPECT_TRUE(contains(done.out, "--scratch")) << told(done);
  EXPECT_FALSE(has_job());
  EXPECT_TRUE(points().empty());
}

}  // namespace
}  // namespace muster::e2e
