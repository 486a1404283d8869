// Nights of one machine to which everything happens in between: it writes, trims, stops, is killed, grows, loses its
// record of changes one way or another; backups are killed, and so is libvirtd. Every morning what is restored is what
// the disk held. MUSTER_NIGHTS: how many, 15 unless set. MUSTER_SEED: other things, in another order.
#include <random>

#include <signal.h>

#include "tests/e2e/backup_running_fixture.h"

namespace muster::e2e {
namespace {

unsigned number(const char* name, unsigned otherwise) {
  const char* wanted = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return wanted != nullptr ? static_cast<unsigned>(std::stoul(wanted)) : otherwise;
}

class BackupNights : public BackupRunning {
 protected:
  using Event = void (BackupNights::*)();

  std::uint64_t any(std::uint64_t below) { return random_() % below; }
  // A place for so many pieces of 64 KiB.
  std::uint64_t anywhere(std::uint64_t pieces) { return any(disk_->bytes().size() / kPiece - pieces + 1) * kPiece; }
  bool runs() const { return hypervisor_->state("web01") == "running"; }
  void wake() {
    if (!runs()) hypervisor_->virsh({"start", "web01"});
  }

  void write_some() {
    wake();
    for (std::uint64_t i = 0; i < 1 + any(6); ++i) {
      const std::uint64_t pieces = 1 + any(12);
      disk_->write(anywhere(pieces), pieces * kPiece, static_cast<unsigned char>(1 + any(255)));
    }
  }
  void trim_some() {
    wake();
    const std::uint64_t pieces = 1 + any(40);
    disk_->discard(anywhere(pieces), pieces * kPiece);
  }
  void stop() {
    if (runs()) hypervisor_->virsh({"destroy", "web01", "--graceful"});
  }
  void stop_and_write_to_the_image() {
    stop();
    disk_->write_offline(image(), anywhere(2), 2 * kPiece, static_cast<unsigned char>(1 + any(255)));
  }
  void crash() {
    wake();
    disk_->flush();
    kill_qemu();
  }
  void grow_while_it_runs() {
    wake();
    const std::uint64_t size = disk_->bytes().size() + 4 * kMiB;
    // QEMU refuses it between a crash and the next backup, which drops the bitmap that the crash broke.
    const auto done = hypervisor_->try_virsh({"blockresize", "web01", "vda", std::to_string(size) + "B"});
    if (done.code == 0) disk_->grow(size);
    EXPECT_TRUE(done.code == 0 || contains(done.err, "is inconsistent")) << told(done);
  }
  void lose_bitmaps() {
    stop();
    for (const auto& name : checkpoints()) run({.argv = {"qemu-img", "bitmap", "--remove", image(), name}});
  }
  void lose_the_entry() {
    wake();
    for (const auto& name : checkpoints()) hypervisor_->virsh({"checkpoint-delete", "web01", name, "--metadata"});
  }
  void stop_recording() {
    stop();
    for (const auto& name : checkpoints()) run({.argv = {"qemu-img", "bitmap", "--disable", image(), name}});
  }
  void kill_libvirtd() {
    hypervisor_->kill_daemon();
    hypervisor_->restart();
  }
  void kill_a_backup() {
    wake();
    MusterProcess backup(backup_command(create_words("web01", {"--limit-rate", "256K"})));
    wait_until([&] { return has_job() || !is_running(backup.pid()); });
    for (const pid_t pid : process_tree(backup.pid())) ::kill(pid, SIGKILL);
    backup.finish();
  }

  // What happens often stands there more than once.
  static constexpr std::array<Event, 16> kEvents{&BackupNights::write_some,
                                                 &BackupNights::write_some,
                                                 &BackupNights::write_some,
                                                 &BackupNights::write_some,
                                                 &BackupNights::trim_some,
                                                 &BackupNights::trim_some,
                                                 &BackupNights::stop,
                                                 &BackupNights::stop,
                                                 &BackupNights::stop_and_write_to_the_image,
                                                 &BackupNights::crash,
                                                 &BackupNights::grow_while_it_runs,
                                                 &BackupNights::lose_bitmaps,
                                                 &BackupNights::lose_the_entry,
                                                 &BackupNights::stop_recording,
                                                 &BackupNights::kill_libvirtd,
                                                 &BackupNights::kill_a_backup};

  std::minstd_rand random_;
  TrackedDisk* disk_ = nullptr;
};

TEST_F(BackupNights, EveryMorningWhatIsRestoredIsWhatItHeld) {
  const unsigned seed = number("MUSTER_SEED", 1), nights = number("MUSTER_NIGHTS", 15);
  random_.seed(seed);
  disk_ = &start();
  disk_->write(kMiB, 8 * kMiB, 0x5a);
  unsigned incremental = 0;
  std::string first_held, first_point;
  for (unsigned night = 0; night < nights && !HasFailure(); ++night) {
    std::string story = "seed " + std::to_string(seed) + ", night " + std::to_string(night) + ", events";
    for (std::uint64_t i = 0; i < 1 + any(3); ++i) {
      const auto event = any(kEvents.size());
      story += " " + std::to_string(event);
      (this->*kEvents[event])();
    }
    SCOPED_TRACE(story);
    next_second();
    const auto made = create();
    if (whole_because(made).empty()) ++incremental;
    expect_same(restored("web01@latest"), disk_->bytes());
    EXPECT_LE(checkpoints().size(), 2U) << "what is not needed goes, once it runs";
    if (night == 0) first_held = disk_->bytes(), first_point = made.at("point");
  }
  EXPECT_GE(incremental, nights / 6) << "seed " << seed;
  expect_same(restored(first_point), first_held);
  expect(0, {"check", "--read-data", "-q"});
}

}  // namespace
}  // namespace muster::e2e
