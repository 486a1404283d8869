// What the tests of backups of machines share: a hypervisor with domains whose disks the tests write to, and what came
// back of them. Not thread-safe.
#pragma once

#include <algorithm>
#include <filesystem>
#include <list>
#include <optional>
#include <sstream>

#include "tests/e2e/backup_fixture.h"
#include "tests/e2e/hypervisor.h"
#include "tests/e2e/process_table.h"
#include "tests/e2e/tracked_disk.h"

namespace muster::e2e {

inline constexpr std::size_t kDiskBytes = 64U << 20;
inline constexpr std::uint64_t kMiB = 1U << 20, kPiece = 64U << 10;

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
  nlohmann::json create(const std::string& name = "web01", const Words& more = {}) {
    const auto done = expect(0, create_words(name, more));
    last_errors_ = done.err;
    return json_lines(done.out).at(0);
  }

  // `muster vm WORD... -c URI`, without an inventory.
  Finished vm(const Words& words) const {
    Words argv{program("muster"), "vm"};
    argv.insert(argv.end(), words.begin(), words.end());
    argv.insert(argv.end(), {"-c", hypervisor_->uri()});
    return run({.argv = in_clean_environment(argv, {"HOME=" + home(), "TMPDIR=" + file("tmp")})});
  }

  std::string restored(const std::string& point, const std::string& disk = "vda") {
    const std::string to = file("restored.raw");
    std::filesystem::remove(to);
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
  std::string whole_because(const nlohmann::json& result, std::size_t disk = 0) const {
    return result.at("disks").at(disk).value("whole_because", "");
  }

  std::optional<Hypervisor> hypervisor_;
  std::list<TrackedDisk> disks_;
  std::string last_errors_;
};

}  // namespace muster::e2e
