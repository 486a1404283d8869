// muster vm migrate between two real libvirtd on this machine.
#include <filesystem>

#include <gtest/gtest.h>

#include "tests/e2e/end_to_end.h"
#include "tests/e2e/hypervisor.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

using namespace std::chrono_literals;

class VmMigrate : public EndToEnd {
 protected:
  void SetUp() override {
    if (const std::string reason = no_hypervisor_because(); !reason.empty()) GTEST_SKIP() << reason;
    source_ = std::make_unique<Hypervisor>(Hypervisor::Options{.name = "hv1", .bed = file("bed")});
    target_ = std::make_unique<Hypervisor>(Hypervisor::Options{.name = "hv2", .bed = file("bed")});
  }
  Launch migrate(const std::string& name, std::vector<std::string> words = {}) {
    words.insert(words.begin(),
                 {program("muster"), "vm", "migrate", "-c", source_->uri(), "--to", target_->uri(), name});
    return {.argv = in_clean_environment(words, {"HOME=" + home()}), .deadline = 100s};
  }
  std::string state(const Hypervisor& hypervisor, const std::string& name) const {
    const auto found = hypervisor.try_virsh({"domstate", name});
    return found.code == 0 ? found.out.substr(0, found.out.find('\n')) : "none";
  }
  std::unique_ptr<Hypervisor> source_, target_;
};

TEST_F(VmMigrate, LiveWithItsSnapshotsAndBack) {
  source_->define({.name = "web01"});
  source_->virsh({"start", "web01"});
  source_->virsh({"snapshot-create-as", "web01", "before"});
  source_->virsh({"snapshot-create-as", "web01", "after"});
  const auto check = run(migrate("web01", {"--check"}));
  EXPECT_EQ(check.code, 0) << told(check);
  EXPECT_TRUE(contains(check.out, "web01: can move to")) << told(check);
  EXPECT_EQ(state(*source_, "web01"), "running");
  const auto done = run(migrate("web01"));
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_TRUE(contains(done.out, "web01: running on " + target_->uri())) << told(done);
  EXPECT_EQ(state(*target_, "web01"), "running");
  EXPECT_EQ(state(*source_, "web01"), "none");
  EXPECT_EQ(target_->virsh({"snapshot-list", "web01", "--name"}), "after\nbefore\n");
  EXPECT_FALSE(contains(target_->virsh({"dumpxml", "web01"}), "x-muster:moving")) << "the note of the move is gone";
  std::swap(source_, target_);
  EXPECT_EQ(run(migrate("web01")).code, 0);
  EXPECT_EQ(target_->virsh({"snapshot-list", "web01", "--name"}), "after\nbefore\n");
}

TEST_F(VmMigrate, OffAndRefusedWhereItCannotBeDone) {
  source_->define({.name = "off"});
  const auto refused = run(migrate("off"));
  EXPECT_EQ(refused.code, 5) << told(refused);
  EXPECT_TRUE(contains(refused.err, "'off' stays: it is off")) << told(refused);
  source_->virsh({"autostart", "off"});
  const auto done = run(migrate("off", {"--offline"}));
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_EQ(state(*target_, "off"), "shut off");
  EXPECT_EQ(state(*source_, "off"), "none");
  EXPECT_TRUE(contains(target_->virsh({"dominfo", "off"}), "enable"));
  source_->define({.name = "off", .virtio_disk = source_->make_disk("other")});
  const auto clash = run(migrate("off", {"--offline"}));
  EXPECT_EQ(clash.code, 5) << told(clash);
  EXPECT_TRUE(contains(clash.err, "name or UUID")) << told(clash);
  const auto nowhere = run({.argv = {program("muster"), "vm", "migrate", "-c", source_->uri(), "off"}});
  EXPECT_EQ(nowhere.code, 2) << told(nowhere);
  EXPECT_TRUE(contains(nowhere.err, "--to URI")) << told(nowhere);
}

TEST_F(VmMigrate, ImagesAreCopiedOnlyWhereAPoolTakesThem) {
  source_->define({.name = "data", .virtio_disk = source_->make_disk("data", "16M")});
  source_->virsh({"start", "data"});
  const auto refused = run(migrate("data", {"--copy-storage"}));
  EXPECT_EQ(refused.code, 5) << told(refused);
  EXPECT_TRUE(contains(refused.err, "no storage pool of the target has the directory")) << told(refused);
  EXPECT_EQ(state(*source_, "data"), "running");
}

// Slowed down to be caught on the way.
TEST_F(VmMigrate, WhatIsLateStaysWhereItIs) {
  source_->define({.name = "slow"});
  source_->virsh({"start", "slow"});
  source_->virsh({"snapshot-create-as", "slow", "kept"});
  const auto done = run(migrate("slow", {"--timeout", "0.1s", "--bandwidth", "1M"}));
  EXPECT_EQ(done.code, 1) << told(done);
  EXPECT_TRUE(contains(done.err, "runs on where it was")) << told(done);
  EXPECT_EQ(state(*source_, "slow"), "running");
  EXPECT_EQ(state(*target_, "slow"), "none");
  EXPECT_EQ(source_->virsh({"snapshot-list", "slow", "--name"}), "kept\n");
}

// What a move that was killed leaves behind: its notes in the machine's metadata, and no snapshots.
TEST_F(VmMigrate, AKilledMoveIsFinishedByTheNext) {
  source_->define({.name = "web01"});
  source_->virsh({"start", "web01"});
  source_->virsh({"snapshot-create-as", "web01", "kept"});
  MusterProcess moving(migrate("web01", {"--bandwidth", "1M"}));
  const auto noted = [&] { return contains(source_->try_virsh({"dumpxml", "web01"}).out, "moving uuid="); };
  ASSERT_TRUE(wait_until(noted)) << moving.err();
  moving.signal(SIGKILL);
  moving.finish();
  // Its worker hears of that by the end of its input, and undoes what it began, or is done.
  ASSERT_TRUE(wait_until([&] { return !noted(); }, 40'000));
  const Hypervisor& home = state(*source_, "web01") == "running" ? *source_ : *target_;
  EXPECT_EQ(home.virsh({"snapshot-list", "web01", "--name"}), "kept\n");
}

}  // namespace
}  // namespace muster::e2e
