// muster backup killed with SIGKILL at random moments, again and again on one repository: afterwards it opens, check is
// clean, and every restore point that is listed comes back as its image was. MUSTER_KILLS: how often, 12 unless set.
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>

#include <signal.h>

#include "tests/e2e/backup_fixture.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class BackupKill : public BackupTest {
 protected:
  BackupKill() { make_repository(); }

  std::string image() const { return file("disk.raw"); }
  std::string copy_of(const std::string& tag) const { return file("was-" + tag); }

  // Starts it, and kills it once `after` has passed; true if it was still running.
  bool kill_after(const Words& words, std::chrono::microseconds after) {
    MusterProcess process(backup_command(words));
    const auto deadline = std::chrono::steady_clock::now() + after;
    wait_until([&] { return std::chrono::steady_clock::now() >= deadline || !is_running(process.pid()); });
    const bool running = is_running(process.pid());
    process.signal(SIGKILL);
    process.finish();
    return running;
  }

  void expect_whole(const std::string& when) {
    const auto checked = backup({"check", "--read-data"});
    ASSERT_EQ(checked.code, 0) << when << told(checked);
    for (const auto& point : points()) {
      const std::string tag = point.at("tags").at(0), id = point.at("point");
      const std::string back = file("back.raw");
      fs::remove(back);
      expect(0, {"restore", "-q", id, "--to", back});
      ASSERT_TRUE(same(back, copy_of(tag))) << when << ": " << tag;
    }
  }
};

TEST_F(BackupKill, AtAnyMomentNothingIsLost) {
  const char* wanted = std::getenv("MUSTER_KILLS");  // NOLINT(concurrency-mt-unsafe)
  const int rounds = wanted != nullptr ? std::atoi(wanted) : 12;
  std::mt19937 random(static_cast<unsigned>(rounds));
  make_image("disk.raw", 12U << 20U);
  int killed = 0;
  auto longest = 100'000us;
  for (int round = 0; round < rounds; ++round) {
    const std::string tag = "r" + std::to_string(round);
    overwrite(image(), random() % (11U << 20U), 600'000, static_cast<unsigned>(round));
    fs::copy_file(image(), copy_of(tag));
    const std::vector<Words> work{{"create", "-q", "--name", "web01", "--image", image(), "--tag", tag},
                                  {"create", "-q", "--name", "web01", "--image", image(), "--tag", tag},
                                  {"forget", "web01", "--keep-last", "2", "--prune"},
                                  {"prune"}};
    const auto after = std::chrono::microseconds(random() % static_cast<unsigned>(longest.count()));
    const bool in_time = kill_after(work[static_cast<std::size_t>(round) % work.size()], after);
    killed += in_time ? 1 : 0;
    // Most of them while they work: neither at once nor too late.
    longest = in_time ? longest + 20'000us : std::max(longest - 20'000us, 20'000us);
    expect_whole("round " + tag);
    if (HasFatalFailure()) return;
  }
  std::cout << killed << " of " << rounds << " killed while they worked\n";
  EXPECT_GT(killed, rounds / 4);
}

}  // namespace
}  // namespace muster::e2e
