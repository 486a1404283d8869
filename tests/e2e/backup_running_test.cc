// muster backup create VM: running machines, all disks at one moment, and after the first time only what changed.
#include <algorithm>
#include <filesystem>
#include <list>
#include <optional>
#include <sstream>

#include <signal.h>

#include "tests/e2e/backup_fixture.h"
#include "tests/e2e/hypervisor.h"
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
