// muster backup create VM: running machines, all disks at one moment, and after the first time only what changed; those
// that are off; many at once.
#include "tests/e2e/backup_running_fixture.h"

namespace muster::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

TEST_F(BackupRunning, TheFirstIsWholeAndTheNextReadsWhatChanged) {
  TrackedDisk& disk = start();
  disk.write(kMiB, 3 * kMiB, 0x5a);
  disk.write(40 * kMiB, kPiece, 0x17);
  const json first = create();
  EXPECT_EQ(first.value("consistency", ""), "crash");
  EXPECT_EQ(first.value("parent", json()), json());
  const std::string then = disk.bytes();
  expect_same(restored("web01@latest"), then);
  ASSERT_EQ(checkpoints().size(), 1U);
  const auto before = checkpoints();

  next_second();
  disk.write(41 * kMiB, kPiece, 0x33);
  disk.write(2 * kMiB, kPiece, 0x44);
  const json second = create();
  EXPECT_EQ(second.at("parent"), first.at("point"));
  EXPECT_EQ(second.at("bytes_dirty"), 2 * kPiece);
  EXPECT_LE(second.at("bytes_read").get<std::uint64_t>(), 2 * (256U << 10));
  EXPECT_EQ(whole_because(second), "");
  expect_same(restored("web01@latest"), disk.bytes());
  expect_same(restored(first.at("point")), then);
  EXPECT_EQ(checkpoints().size(), 1U);
  EXPECT_NE(checkpoints(), before);
  EXPECT_FALSE(has_job());

  next_second();
  const json third = create();
  EXPECT_EQ(third.at("bytes_dirty"), 0);
  EXPECT_EQ(third.at("bytes_read"), 0);
  expect_same(restored("web01@latest"), disk.bytes());
}

// On the hypervisor itself nothing has to be said: QEMU's own directory has the socket, and scratch lies beside the
// image.
TEST_F(BackupRunning, WhereItIsAtHomeItNeedsNoDirectory) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  Words words{program("muster"), "backup", "create", "qemu:///system#web01", "-R", repository(), "-q"};
  const auto done = run({.argv = hypervisor_->inside(words), .environment = {"HOME=" + home()}});
  EXPECT_EQ(done.code, 0) << told(done);
  expect_same(restored("web01@latest"), disk.bytes());
  EXPECT_EQ(std::distance(fs::directory_iterator(hypervisor_->directory()), {}), 1) << "the image, and no scratch file";
}

TEST_F(BackupRunning, ItSurvivesStopAndStart) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  create();
  next_second();
  disk.write(5 * kMiB, kPiece, 0x21);
  hypervisor_->virsh({"destroy", "web01", "--graceful"});
  hypervisor_->virsh({"start", "web01"});
  disk.write(6 * kMiB, kPiece, 0x22);
  const json second = create();
  EXPECT_EQ(whole_because(second), "");
  EXPECT_EQ(second.at("bytes_dirty"), 2 * kPiece);
  expect_same(restored("web01@latest"), disk.bytes());
}

TEST_F(BackupRunning, TrimmedBlocksAreZeroes) {
  TrackedDisk& disk = start();
  disk.write(kMiB, 4 * kMiB, 0x5a);
  create();
  next_second();
  disk.discard(2 * kMiB, 2 * kMiB);
  const json second = create();
  EXPECT_EQ(second.at("bytes_dirty"), 2 * kMiB);
  EXPECT_EQ(second.at("bytes_read"), 0);
  expect_same(restored("web01@latest"), disk.bytes());
}

TEST_F(BackupRunning, TwoRepositoriesFollowOneMachine) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  expect(0, {"init", "-q", file("second")});
  create();
  create("web01", {"-R", file("second")});
  EXPECT_EQ(checkpoints().size(), 2U);
  next_second();
  disk.write(2 * kMiB, kPiece, 0x22);
  EXPECT_EQ(create().at("bytes_dirty"), kPiece);
  disk.write(3 * kMiB, kPiece, 0x23);
  EXPECT_EQ(create("web01", {"-R", file("second")}).at("bytes_dirty"), 2 * kPiece);
  EXPECT_EQ(checkpoints().size(), 2U);
}

TEST_F(BackupRunning, OneThatIsOffIsReadFromItsImage) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  hypervisor_->virsh({"destroy", "web01", "--graceful"});
  const json point = create();
  EXPECT_EQ(point.value("consistency", ""), "off");
  expect_same(restored("web01@latest"), disk.bytes());
}

TEST_F(BackupRunning, OneThatIsOffIsReadAgainOnlyWhereItWasWrittenTo) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  hypervisor_->virsh({"destroy", "web01", "--graceful"});
  create();
  next_second();
  const json unchanged = create();
  EXPECT_EQ(unchanged.at("bytes_read"), 0);
  expect_same(restored("web01@latest"), disk.bytes());
  next_second();
  disk.write_offline(image(), 2 * kMiB, kPiece, 0x21);
  EXPECT_GT(create().at("bytes_read"), 0);
  expect_same(restored("web01@latest"), disk.bytes());
}

TEST_F(BackupRunning, WhatItsImagesRecordedIsUsedWhileItIsOff) {
  TrackedDisk& disk = start();
  disk.write(kMiB, 4 * kMiB, 0x5a);
  create();
  next_second();
  disk.write(2 * kMiB, kPiece, 0x21);
  hypervisor_->virsh({"destroy", "web01", "--graceful"});
  disk.write_offline(image(), 8 * kMiB, kPiece, 0x22);  // QEMU's tools go on recording
  const json off = create();
  EXPECT_EQ(off.value("consistency", ""), "off");
  EXPECT_EQ(whole_because(off), "");
  EXPECT_EQ(off.at("bytes_dirty"), 2 * kPiece);
  expect_same(restored("web01@latest"), disk.bytes());
  next_second();
  hypervisor_->virsh({"start", "web01"});
  disk.write(3 * kMiB, kPiece, 0x23);
  const json running = create();
  EXPECT_EQ(whole_because(running), "");
  // The bitmap is the same still: what the point before had is read once more.
  EXPECT_EQ(running.at("bytes_dirty"), 3 * kPiece);
  EXPECT_EQ(running.at("bytes_new"), 256U << 10);
  expect_same(restored("web01@latest"), disk.bytes());
  EXPECT_EQ(checkpoints().size(), 1U);
}

TEST_F(BackupRunning, RawDisksAreReadWholeAndComeBack) {
  const std::string raw = hypervisor_->directory() + "/raw01.raw";
  ASSERT_EQ(run({.argv = {"qemu-img", "create", "-f", "raw", raw, "64M"}}).code, 0);
  std::string xml = hypervisor_->xml_of({.name = "raw01", .virtio_disk = raw});
  xml.replace(xml.find("type='qcow2'"), 12, "type='raw'");
  hypervisor_->define_xml(xml);
  hypervisor_->virsh({"start", "raw01"});
  TrackedDisk disk(*hypervisor_, "raw01", "virtio-disk0", kDiskBytes);
  disk.write(kMiB, kMiB, 0x5a);
  create("raw01");
  next_second();
  disk.write(5 * kMiB, kPiece, 0x5b);
  const json second = create("raw01");
  EXPECT_TRUE(contains(whole_because(second), "raw images")) << second;
  EXPECT_EQ(second.at("bytes_new"), 256U << 10);
  EXPECT_FALSE(contains(last_errors_, "read whole")) << "that is how it always is: " << last_errors_;
  expect_same(restored("raw01@latest"), disk.bytes());
  EXPECT_TRUE(checkpoints("raw01").empty());
}

TEST_F(BackupRunning, DisksThatComeAndGoAndAreLeftOut) {
  hypervisor_->define({{.name = "two01", .virtio_disk = {}, .scsi_disk = hypervisor_->make_disk("second")}});
  hypervisor_->virsh({"start", "two01"});
  TrackedDisk first(*hypervisor_, "two01", "virtio-disk0", kDiskBytes);
  first.write(kMiB, kPiece, 0x11);
  const json without = create("two01", {"--without-disk", "sda"});
  EXPECT_EQ(without.at("disks").size(), 1U);
  next_second();
  first.write(2 * kMiB, kPiece, 0x12);
  const json both = create("two01");
  ASSERT_EQ(both.at("disks").size(), 2U);
  EXPECT_EQ(whole_because(both, 0), "");
  EXPECT_EQ(whole_because(both, 1), "the disk is new");
  EXPECT_EQ(both.at("bytes_dirty"), kPiece) << "of the first; the second is empty";
  next_second();
  const json third = create("two01");
  EXPECT_EQ(whole_because(third, 1), "");
  expect_same(restored("two01@latest"), first.bytes());
}

TEST_F(BackupRunning, CommandsBeforeAndAfter) {
  start();
  const std::string log = file("log");
  const std::string note = "echo $0 $MUSTER_DOMAIN $MUSTER_STATUS $MUSTER_POINT >>" + log;
  const json point = create("web01", {"--pre", "echo before >>" + log, "--pre", note, "--post", note});
  EXPECT_EQ(read(log), "before\nsh web01\nsh web01 ok " + point.value("point", "") + "\n");
  fs::remove(log);
  const auto failed = expect(5, create_words("web01", {"--pre", "echo no room; exit 7", "--post", note}));
  EXPECT_TRUE(contains(failed.out, "ended with status 7: no room")) << told(failed);
  EXPECT_EQ(read(log), "sh web01 failed\n");
  EXPECT_EQ(points().size(), 1U);
  const auto after = expect(5, create_words("web01", {"--post", "exit 3"}));
  EXPECT_TRUE(contains(after.out, "status 3")) << told(after);
  EXPECT_EQ(points().size(), 2U) << "the restore point is there all the same";
}

TEST_F(BackupRunning, ManyAtOnceAndOneThatFailsDoesNotKeepTheOthers) {
  for (const char* name : {"web01", "web02", "web03"}) start(name).write(kMiB, kPiece, 0x11);
  write(file("inventory.yaml"), "all: {hosts: {web01: {}, web02: {}, web03: {domain: gone}}, vars: {hypervisor: '" +
                                    hypervisor_->uri() + "'}}\n");
  const auto done = backup({"create", "all", "--scratch", hypervisor_->directory(), "--metrics", file("m.prom"),
                            "--keep-last", "5", "--json"});
  EXPECT_EQ(done.code, 3) << told(done);
  const auto lines = json_lines(done.out);
  const json summary = summary_of(lines);
  EXPECT_EQ(summary.value("ok", 0), 2);
  EXPECT_EQ(summary.value("failed", 0), 1);
  EXPECT_EQ(summary.value("kept", 0), 2);
  EXPECT_EQ(summary.value("bytes_read", 0U), 2U * (64U << 10));
  EXPECT_EQ(points().size(), 2U);
  const std::string metrics = read(file("m.prom"));
  EXPECT_TRUE(contains(metrics, "muster_backup_last_status{name=\"web01\"} 0\n")) << metrics;
  EXPECT_FALSE(contains(metrics, "muster_backup_last_status{name=\"web03\"} 0\n")) << metrics;
}

TEST_F(BackupRunning, APlanTouchesNothing) {
  start();
  const auto plan = expect(0, create_words("web01", {"--dry-run"}));
  EXPECT_TRUE(checkpoints().empty());
  EXPECT_TRUE(points().empty());
  EXPECT_EQ(json_lines(plan.out).at(0).value("plan", ""), "create");
}

}  // namespace
}  // namespace muster::e2e
