// Records of changes that are gone, foreign, old or wrong: a disk is read whole then, and comes back as it is.
#include "tests/e2e/backup_running_fixture.h"

namespace muster::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class BackupDistrust : public BackupRunning {};

TEST_F(BackupDistrust, ABitmapThatIsGoneCostsAFullRead) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  create();
  next_second();
  hypervisor_->virsh({"destroy", "web01", "--graceful"});
  const std::string name = checkpoints().at(0);
  ASSERT_EQ(run({.argv = {"qemu-img", "bitmap", "--remove", image(), name}}).code, 0);
  hypervisor_->virsh({"start", "web01"});
  disk.write(2 * kMiB, kPiece, 0x22);
  EXPECT_NE(whole_because(create()), "");
  expect_same(restored("web01@latest"), disk.bytes());
  EXPECT_EQ(checkpoints().size(), 1U);
}

TEST_F(BackupDistrust, WhatLibvirtForgotIsRegisteredAgain) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  create();
  next_second();
  hypervisor_->virsh({"checkpoint-delete", "web01", checkpoints().at(0), "--metadata"});
  disk.write(2 * kMiB, kPiece, 0x22);
  const json second = create();
  EXPECT_EQ(whole_because(second), "");
  EXPECT_EQ(second.at("bytes_dirty"), kPiece);
  expect_same(restored("web01@latest"), disk.bytes());
  EXPECT_EQ(checkpoints().size(), 1U);
}

TEST_F(BackupDistrust, AResizedDiskIsReadWhole) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  create();
  next_second();
  hypervisor_->virsh({"blockresize", "web01", "vda", std::to_string(kDiskBytes + 3 * kMiB) + "b"});
  disk.grow(kDiskBytes + 3 * kMiB);
  disk.write(kDiskBytes + kMiB, kPiece, 0x22);
  EXPECT_EQ(whole_because(create()), "its size changed");
  expect_same(restored("web01@latest"), disk.bytes());
}

TEST_F(BackupDistrust, AForeignCheckpointIsLeftAlone) {
  TrackedDisk& disk = start();
  write(file("foreign.xml"), "<domaincheckpoint><name>theirs</name></domaincheckpoint>");
  hypervisor_->virsh({"checkpoint-create", "web01", file("foreign.xml")});
  create();
  next_second();
  disk.write(2 * kMiB, kPiece, 0x22);
  EXPECT_EQ(create().at("bytes_dirty"), kPiece);
  expect_same(restored("web01@latest"), disk.bytes());
  const auto names = checkpoints();
  EXPECT_EQ(names.size(), 2U);
  EXPECT_TRUE(std::find(names.begin(), names.end(), "theirs") != names.end());
}

TEST_F(BackupDistrust, AReplacedImageIsReadWholeWhereverItIsNoticed) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  create();
  next_second();
  hypervisor_->virsh({"destroy", "web01", "--graceful"});
  const std::string other = file("other.raw");
  write(other, disk.bytes());
  ASSERT_EQ(run({.argv = {"qemu-img", "convert", "-f", "raw", "-O", "qcow2", other, image()}}).code, 0);
  disk.write_offline(image(), 7 * kMiB, kPiece, 0x31);
  EXPECT_TRUE(contains(whole_because(create()), "no record of changes"));
  expect_same(restored("web01@latest"), disk.bytes());
  next_second();
  hypervisor_->virsh({"start", "web01"});
  disk.write(9 * kMiB, kPiece, 0x32);
  create();
  expect_same(restored("web01@latest"), disk.bytes());
}

// Written past QEMU, into the image file, as a broken cable or a careless tool would.
TEST_F(BackupDistrust, AnAuditFindsWhatNoBitmapRecorded) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  create();
  next_second();
  hypervisor_->virsh({"destroy", "web01", "--graceful"});
  const auto map = json::parse(run({.argv = {"qemu-img", "map", "--output=json", image()}}).out);
  std::optional<std::uint64_t> at;
  for (const auto& extent : map)
    if (extent.value("start", 0U) == kMiB && extent.contains("offset")) at = extent.at("offset").get<std::uint64_t>();
  ASSERT_TRUE(at) << map;
  overwrite(image(), *at + 4096, 512, 77);
  hypervisor_->virsh({"start", "web01"});
  EXPECT_EQ(create().at("bytes_read"), 0) << "nobody can know";
  next_second();
  const json audited = create("web01", {"--audit=1"});
  EXPECT_TRUE(contains(last_errors_, "changed where nothing was recorded")) << last_errors_;
  EXPECT_TRUE(contains(whole_because(audited), "audit")) << audited;
  std::string expected = disk.bytes();
  expected.replace(kMiB + 4096, 512, noise(512, 77));
  expect_same(restored("web01@latest"), expected);
  next_second();
  const json again = create("web01", {"--audit=1"});
  EXPECT_EQ(whole_because(again), "");
  EXPECT_EQ(again.at("bytes_audited"), kMiB);
  EXPECT_TRUE(contains(expect(0, {"show", "web01@latest"}).out, "proved:"));
}

TEST_F(BackupDistrust, DisksThatAreBeingEncryptedAreNoticedAndTheirPastIsKept) {
  TrackedDisk& disk = start();
  disk.write(0, 8 * kMiB, 0x5a);
  create();
  for (unsigned char night = 1; night < 4; ++night) {
    next_second();
    // One byte value in each piece: it compresses, and no two are alike.
    for (std::uint64_t piece = 0; piece < 16; ++piece)
      disk.write(piece * 4 * kPiece, 2 * kPiece, static_cast<unsigned char>(night * 16 + piece));
    create("web01");
    EXPECT_FALSE(contains(last_errors_, "encrypted")) << last_errors_;
  }
  next_second();
  const std::string noisy = noise(40U << 20, 5), path = hypervisor_->directory() + "/noise";
  write(path, noisy, 0644);
  disk.write_from(0, path, noisy);
  const json hit = create("web01", {"--keep-last", "1"});
  EXPECT_TRUE(contains(last_errors_, "being encrypted")) << last_errors_;
  const auto all = points();
  ASSERT_EQ(all.size(), 5U) << "nothing is forgotten";
  EXPECT_TRUE(all[3].value("pinned", false));
  EXPECT_EQ(all[4].value("tags", Words()), Words{"suspect"});
  expect_same(restored("web01@latest"), disk.bytes());
  next_second();
  create("web01", {"--keep-last", "1"});
  EXPECT_EQ(points().size(), 6U) << "nor the night after";
  expect(0, {"tag", hit.at("point"), "suspect", "--remove"});
  expect(0, {"forget", "web01", "--keep-last", "1"});
  EXPECT_EQ(points().size(), 2U) << "the newest, and the one that is pinned";
}

TEST_F(BackupDistrust, AnotherMachineOfTheSameNameIsReadWhole) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  create();
  hypervisor_->virsh({"destroy", "web01", "--graceful"});
  hypervisor_->virsh({"undefine", "web01", "--checkpoints-metadata"});
  next_second();
  hypervisor_->define({.name = "web01", .virtio_disk = image()});
  const json off = create();
  EXPECT_GT(off.at("bytes_read"), 0) << "the bitmap is there, and nobody says that it is this machine's";
  next_second();
  hypervisor_->virsh({"start", "web01"});
  const json running = create();
  EXPECT_GT(running.at("bytes_read"), 0);
  expect_same(restored("web01@latest"), disk.bytes());
}

TEST_F(BackupDistrust, AForeignCheckpointInBetweenChangesNothing) {
  TrackedDisk& disk = start();
  create();
  next_second();
  disk.write(2 * kMiB, kPiece, 0x22);
  write(file("foreign.xml"), "<domaincheckpoint><name>theirs</name></domaincheckpoint>");
  hypervisor_->virsh({"checkpoint-create", "web01", file("foreign.xml")});
  disk.write(4 * kMiB, kPiece, 0x23);
  EXPECT_EQ(create().at("bytes_dirty"), 2 * kPiece);
  expect_same(restored("web01@latest"), disk.bytes());
  next_second();
  hypervisor_->virsh({"checkpoint-delete", "web01", "theirs"});
  disk.write(6 * kMiB, kPiece, 0x24);
  EXPECT_EQ(create().at("bytes_dirty"), kPiece);
  expect_same(restored("web01@latest"), disk.bytes());
}

// Each image has a bitmap of the right name, which is about another disk.
TEST_F(BackupDistrust, DisksThatChangedPlacesAreReadWhole) {
  const std::string a = hypervisor_->make_disk("a"), b = hypervisor_->make_disk("b");
  hypervisor_->define({{.name = "two01", .virtio_disk = a, .scsi_disk = b}});
  hypervisor_->virsh({"start", "two01"});
  TrackedDisk first(*hypervisor_, "two01", "virtio-disk0", kDiskBytes);
  first.write(kMiB, kMiB, 0x11);
  create("two01");
  hypervisor_->virsh({"destroy", "two01", "--graceful"});
  std::string xml = hypervisor_->virsh({"dumpxml", "--inactive", "two01"});
  for (const auto& [from, to] : {std::pair{"a.qcow2", "X.qcow2"}, {"b.qcow2", "a.qcow2"}, {"X.qcow2", "b.qcow2"}})
    xml.replace(xml.find(std::string("/") + from) + 1, 7, to);
  hypervisor_->define_xml(xml);
  for (const bool runs : {false, true}) {
    next_second();
    if (runs) hypervisor_->virsh({"start", "two01"});
    const json swapped = create("two01");
    expect_same(restored("two01@latest", "sda"), first.bytes());
    expect_same(restored("two01@latest", "vda"), std::string(kDiskBytes, '\0'));
    EXPECT_NE(whole_because(swapped), "") << swapped;
  }
}

// libvirt makes a bitmap of the same name in the new layer; the old one keeps what was recorded before.
TEST_F(BackupDistrust, ASnapshotOutsideOfTheImageLosesNothing) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  create();
  for (const bool runs : {true, false, true}) {
    next_second();
    const std::uint64_t at = runs ? 20 : 30;
    if (hypervisor_->state("web01") != "running") hypervisor_->virsh({"start", "web01"});
    disk.write(at * kMiB, kPiece, 0x21);
    hypervisor_->virsh({"snapshot-create-as", "web01", "--disk-only", "--no-metadata", "--diskspec",
                        "vda,file=" + hypervisor_->directory() + "/layer" + std::to_string(checkpoints().size()) +
                            std::to_string(points().size()) + ".qcow2"});
    disk.write((at + 2) * kMiB, kPiece, 0x22);
    if (!runs) hypervisor_->virsh({"destroy", "web01", "--graceful"});
    create();
    expect_same(restored("web01@latest"), disk.bytes());
  }
}

// QEMU refuses to go back while a bitmap records.
TEST_F(BackupDistrust, AMachineGoesBackToASnapshotAndIsReadWhole) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  const auto snapshot = [&](const std::string& verb) {
    Words words{"snapshot", verb, "web01", "then"};
    if (verb == "revert") words.emplace_back("--yes");
    const auto done = vm(words);
    EXPECT_EQ(done.code, 0) << told(done);
  };
  snapshot("create");
  const std::string then = disk.bytes();
  for (const bool runs : {true, false}) {
    next_second();
    create();
    disk.write(20 * kMiB, kPiece, 0x21);
    next_second();
    EXPECT_EQ(whole_because(create()), "");
    EXPECT_FALSE(checkpoints().empty());
    if (!runs) hypervisor_->virsh({"destroy", "web01", "--graceful"});
    snapshot("revert");
    EXPECT_EQ(hypervisor_->state("web01"), "running");
    EXPECT_TRUE(checkpoints().empty());
    next_second();
    EXPECT_NE(whole_because(create()), "");
    expect_same(restored("web01@latest"), then);
  }
}

// The bitmap is what it was: relative to the point at which it began, not to the one made meanwhile.
TEST_F(BackupDistrust, AnImageThatWasTakenBackIsNotMistaken) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  create();
  hypervisor_->virsh({"destroy", "web01", "--graceful"});
  fs::copy_file(image(), image() + ".before");
  const std::string before = disk.bytes();
  disk.write_offline(image(), 8 * kMiB, kPiece, 0x33);
  next_second();
  create();
  expect_same(restored("web01@latest"), disk.bytes());
  fs::rename(image() + ".before", image());
  next_second();
  create();
  expect_same(restored("web01@latest"), before);
  next_second();
  hypervisor_->virsh({"start", "web01"});
  create();
  expect_same(restored("web01@latest"), before);
}

TEST_F(BackupDistrust, AMachineThatMovedToAnotherHypervisorIsFollowedThere) {
  hypervisor_.reset();
  hypervisor_.emplace(Hypervisor::Options{.bed = file("bed")});
  const Hypervisor second({.name = "hv2", .bed = file("bed")});
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  create();
  next_second();
  disk.write(2 * kMiB, kPiece, 0x22);
  {
    // Not while it is read.
    disk.write(16 * kMiB, 16 * kMiB, 0x44);
    MusterProcess backup(backup_command(create_words("web01", {"--limit-rate", "4M"})));
    ASSERT_TRUE(wait_until([&] { return has_job(); }));
    const auto refused = vm({"migrate", "web01", "--to", second.uri()});
    EXPECT_NE(refused.code, 0) << told(refused);
    EXPECT_TRUE(has_job());
    EXPECT_EQ(hypervisor_->state("web01"), "running");
    EXPECT_EQ(backup.finish().code, 0) << backup.err();
  }
  next_second();
  disk.write(2 * kMiB, kPiece, 0x23);
  const auto moved = vm({"migrate", "web01", "--to", second.uri()});
  ASSERT_EQ(moved.code, 0) << told(moved);
  ASSERT_EQ(second.state("web01"), "running");
  TrackedDisk there(second, "web01", "virtio-disk0", kDiskBytes);
  there.write(3 * kMiB, kPiece, 0x33);
  std::string held = disk.bytes();
  held.replace(3 * kMiB, kPiece, std::string(kPiece, 0x33));
  const auto done = expect(0, {"create", second.uri() + "#web01", "--scratch", second.directory(), "--json"});
  const json result = json_lines(done.out).at(0);
  EXPECT_EQ(whole_because(result), "");
  EXPECT_EQ(result.at("bytes_dirty"), 2 * kPiece);
  expect_same(restored("web01@latest"), held);
}

}  // namespace
}  // namespace muster::e2e
