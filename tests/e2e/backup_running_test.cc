// muster backup create VM: running machines, all disks at one moment, and after the first time only what changed.
#include <algorithm>
#include <filesystem>
#include <list>
#include <optional>
#include <sstream>

#include <signal.h>

#include "tests/e2e/backup_fixture.h"
#include "tests/e2e/hypervisor.h"
#include "tests/e2e/libvirt_relay.h"
#include "tests/e2e/process_table.h"
#include "tests/e2e/tracked_disk.h"

namespace muster::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kDiskBytes = 64U << 20;
constexpr std::uint64_t kMiB = 1U << 20, kPiece = 64U << 10;

class BackupRunning : public BackupTest {
 protected:
  void SetUp() override {
    if (const auto why = no_hypervisor_because(); !why.empty()) GTEST_SKIP() << why;
    hypervisor_.emplace();
    make_repository();
  }

  // A running domain with one disk, vda.
  TrackedDisk& start(const std::string& name = "web01") {
    hypervisor_->define({.name = name});
    hypervisor_->virsh({"start", name});
    return disks_.emplace_back(*hypervisor_, name, "virtio-disk0", kDiskBytes);
  }

  Words create_words(const std::string& name, const Words& more = {}) const {
    Words words{"create", hypervisor_->uri() + "#" + name, "--scratch", hypervisor_->directory(), "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  // Its result.
  json create(const std::string& name = "web01", const Words& more = {}) {
    const auto done = expect(0, create_words(name, more));
    last_errors_ = done.err;
    return json_lines(done.out).at(0);
  }

  std::string restored(const std::string& point, const std::string& disk = "vda") {
    const std::string to = file("restored.raw");
    fs::remove(to);
    expect(0, {"restore", "-q", point + ":" + disk, "--to", to});
    return read(to);
  }
  // Bytes are many: a comparison that fails prints where.
  static void expect_same(const std::string& found, const std::string& wanted) {
    ASSERT_EQ(found.size(), wanted.size());
    const auto differs = std::mismatch(found.begin(), found.end(), wanted.begin());
    EXPECT_TRUE(differs.first == found.end()) << "differs at byte " << differs.first - found.begin();
  }

  std::string image(const std::string& name = "web01") const {
    return hypervisor_->directory() + "/" + name + ".qcow2";
  }
  std::vector<std::string> checkpoints(const std::string& name = "web01") const {
    std::vector<std::string> names;
    std::istringstream lines(hypervisor_->virsh({"checkpoint-list", name, "--name"}));
    for (std::string line; std::getline(lines, line);)
      if (!line.empty()) names.push_back(line);
    return names;
  }
  void kill_qemu(const std::string& name = "web01") const {
    run({.argv = hypervisor_->inside({"sh", "-c", "kill -9 $(cat /run/libvirt/qemu/" + name + ".pid)"})});
    ASSERT_TRUE(wait_until([&] { return hypervisor_->state(name) == "shut off"; }));
  }
  bool has_job(const std::string& name = "web01") const {
    return hypervisor_->try_virsh({"backup-dumpxml", name}).code == 0;
  }
  std::string whole_because(const json& result, std::size_t disk = 0) const {
    return result.at("disks").at(disk).value("whole_because", "");
  }

  std::optional<Hypervisor> hypervisor_;
  std::list<TrackedDisk> disks_;
  std::string last_errors_;
};

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

TEST_F(BackupRunning, MachinesThatMusterMakesCanBeFollowed) {
  hypervisor_->virsh({"pool-create-as", "default", "dir", "--target", hypervisor_->directory()});
  const auto made = run({.argv = {program("muster"), "vm", "create", "made01", "-c", hypervisor_->uri(), "--disk",
                                  "64M", "--memory", "64M", "--network", "none", "--start", "-q"},
                         .environment = {"HOME=" + home()}});
  ASSERT_EQ(made.code, 0) << told(made);
  create("made01");
  EXPECT_EQ(last_errors_, "");
  EXPECT_EQ(checkpoints("made01").size(), 1U);
  next_second();
  EXPECT_EQ(whole_because(create("made01")), "");
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

TEST_F(BackupRunning, AfterQemuWasKilledTheDiskIsReadWholeAndItSaysWhy) {
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

TEST_F(BackupRunning, ABitmapThatIsGoneCostsAFullRead) {
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

TEST_F(BackupRunning, WhatLibvirtForgotIsRegisteredAgain) {
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

TEST_F(BackupRunning, AResizedDiskIsReadWhole) {
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

TEST_F(BackupRunning, AForeignCheckpointIsLeftAlone) {
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

TEST_F(BackupRunning, AReplacedImageIsReadWholeWhereverItIsNoticed) {
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

// Written past QEMU, into the image file, as a broken cable or a careless tool would.
TEST_F(BackupRunning, AnAuditFindsWhatNoBitmapRecorded) {
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

TEST_F(BackupRunning, DisksThatAreBeingEncryptedAreNoticedAndTheirPastIsKept) {
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

TEST_F(BackupRunning, RestoredInPlaceItIsAsItWasAndFollowedOn) {
  TrackedDisk& disk = start();
  disk.write(kMiB, 4 * kMiB, 0x5a);
  create();
  const std::string then = disk.bytes();
  write(file("inventory.yaml"), "all: {hosts: {web01: {}}, vars: {hypervisor: '" + hypervisor_->uri() + "'}}\n");
  next_second();
  disk.write(2 * kMiB, 8 * kPiece, 0x21);
  disk.write(20 * kMiB, kPiece, 0x22);
  create();
  const auto words = Words{"restore", points().at(0).value("point", ""), "--in-place"};
  expect(5, words, "");  // it runs
  hypervisor_->virsh({"destroy", "web01", "--graceful"});
  expect(5, words);  // nobody said yes
  Words sure = words;
  sure.insert(sure.end(), {"--yes", "--json"});
  const auto done = json_lines(expect(0, sure).out);
  EXPECT_LT(done.at(0).value("written_bytes", 0U), 2U << 20) << "what differs, and no more";
  const std::string raw = file("now.raw");
  ASSERT_EQ(run({.argv = {"qemu-img", "convert", "-O", "raw", image(), raw}}).code, 0);
  expect_same(read(raw), then);
  next_second();
  hypervisor_->virsh({"start", "web01"});
  const json third = create();
  EXPECT_EQ(whole_because(third), "") << "QEMU recorded what was restored";
  expect_same(restored("web01@latest"), then);
}

TEST_F(BackupRunning, DisksUnderASavedMemoryAreNotReplaced) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  create();
  write(file("inventory.yaml"), "all: {hosts: {web01: {}}, vars: {hypervisor: '" + hypervisor_->uri() + "'}}\n");
  hypervisor_->virsh({"managedsave", "web01"});
  const auto refused = expect(5, {"restore", "web01@latest", "--in-place", "--yes"});
  EXPECT_TRUE(contains(refused.err, "memory")) << told(refused);
  next_second();
  EXPECT_EQ(create().value("consistency", ""), "crash");
}

TEST_F(BackupRunning, AnotherMachineOfTheSameNameIsReadWhole) {
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

TEST_F(BackupRunning, AsAnotherMachineItHasAnIdentityOfItsOwn) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  create();
  const std::string name = hypervisor_->uri() + "#copy";
  const auto plan = expect(0, {"restore", "web01@latest", "--as", name, "--dry-run"});
  EXPECT_TRUE(contains(plan.out, "would define 'copy'")) << told(plan);
  expect(0, {"restore", "web01@latest", "--as", name, "-q", "--start"});
  EXPECT_EQ(hypervisor_->state("copy"), "running");
  EXPECT_NE(hypervisor_->virsh({"domuuid", "web01"}), hypervisor_->virsh({"domuuid", "copy"}));
  hypervisor_->virsh({"destroy", "copy", "--graceful"});
  const std::string raw = file("copy.raw");
  ASSERT_EQ(run({.argv = {"qemu-img", "convert", "-O", "raw", hypervisor_->directory() + "/copy-vda.qcow2", raw}}).code,
            0);
  expect_same(read(raw), disk.bytes());
  expect(5, {"restore", "web01@latest", "--as", name});
  expect(2, {"restore", "web01@latest", "--to", file("x.raw"), "--start"});
  // The machine is gone: the same one again.
  const std::string uuid = hypervisor_->virsh({"domuuid", "web01"});
  hypervisor_->virsh({"destroy", "web01"});
  hypervisor_->virsh({"undefine", "web01", "--checkpoints-metadata"});
  fs::create_directory(file("images"));
  expect(0, {"restore", "web01@latest", "--as", hypervisor_->uri() + "#web01", "--same-identity", "--to",
             file("images"), "--format", "raw"});
  EXPECT_EQ(hypervisor_->virsh({"domuuid", "web01"}), uuid);
  expect_same(read(file("images/web01-vda.raw")), disk.bytes());
}

// What the firmware wrote, byte for byte, beside the copy's own definition.
TEST_F(BackupRunning, FirmwareVariablesComeBackWithTheMachine) {
  if (!fs::exists("/usr/share/OVMF/OVMF_CODE_4M.fd")) GTEST_SKIP() << "OVMF is not installed";
  std::string xml = hypervisor_->xml_of({.name = "uefi01", .virtio_disk = hypervisor_->make_disk("uefi01", "1M")});
  xml.insert(xml.find("<boot dev='hd'/>"),
             "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>"
             "<nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'>/var/lib/libvirt/qemu/nvram/uefi01_VARS.fd</nvram>");
  hypervisor_->define_xml(xml);
  const std::string directory = hypervisor_->directory() + "/../lib/qemu/nvram/";
  fs::create_directories(directory);
  write(directory + "uefi01_VARS.fd", noise(540'672, 7));
  create("uefi01");
  expect(0, {"restore", "uefi01@latest", "--as", hypervisor_->uri() + "#uefi02", "-q"});
  EXPECT_TRUE(same(directory + "uefi01_VARS.fd", directory + "uefi02_VARS.fd"));
  const std::string definition = hypervisor_->virsh({"dumpxml", "uefi02"});
  EXPECT_TRUE(contains(definition, "uefi02_VARS.fd</nvram>")) << definition;
}

TEST_F(BackupRunning, APlanTouchesNothing) {
  start();
  const auto plan = expect(0, create_words("web01", {"--dry-run"}));
  EXPECT_TRUE(checkpoints().empty());
  EXPECT_TRUE(points().empty());
  EXPECT_EQ(json_lines(plan.out).at(0).value("plan", ""), "create");
}

TEST_F(BackupRunning, AnotherProgramsBackupIsNotEnded) {
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
TEST_F(BackupRunning, KilledBeforeAnyOfItsCallsTheNextOneIsRight) {
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

TEST_F(BackupRunning, AForeignCheckpointInBetweenChangesNothing) {
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

TEST_F(BackupRunning, ASecondBackupOfAMachineLeavesTheFirstAlone) {
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

// Each image has a bitmap of the right name, which is about another disk.
TEST_F(BackupRunning, DisksThatChangedPlacesAreReadWhole) {
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
TEST_F(BackupRunning, ASnapshotOutsideOfTheImageLosesNothing) {
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

// The bitmap is what it was: relative to the point at which it began, not to the one made meanwhile.
TEST_F(BackupRunning, AnImageThatWasTakenBackIsNotMistaken) {
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

TEST_F(BackupRunning, ALibvirtdThatIsRestartedMeanwhileCostsNothing) {
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

TEST_F(BackupRunning, AMachineThatEndsMeanwhileMakesNoRestorePoint) {
  TrackedDisk& disk = start();
  disk.write(0, 8 * kMiB, 0x5a);
  create();
  next_second();
  disk.write(0, 8 * kMiB, 0x5b);
  MusterProcess muster(backup_command(create_words("web01", {"--limit-rate", "2M"})));
  ASSERT_TRUE(wait_until([&] { return has_job(); })) << muster.err();
  hypervisor_->virsh({"destroy", "web01", "--graceful"});
  EXPECT_EQ(muster.finish().code, 1);
  EXPECT_EQ(points().size(), 1U);
  hypervisor_->virsh({"start", "web01"});
  const json second = create();
  EXPECT_EQ(whole_because(second), "");
  EXPECT_EQ(second.at("bytes_dirty"), 8 * kMiB);
  expect_same(restored("web01@latest"), disk.bytes());
  EXPECT_EQ(checkpoints().size(), 1U);
}

TEST_F(BackupRunning, AnInterruptedOneLeavesNothing) {
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

}  // namespace
}  // namespace muster::e2e
