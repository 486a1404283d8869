// muster backup, where a mistake would cost something: options are looked at before anything is done, plans are what
// happens, and what has lost data is not taken for good.
#include <filesystem>

#include "tests/e2e/backup_fixture.h"

namespace muster::e2e {
namespace {

namespace fs = std::filesystem;

class BackupCare : public BackupTest {
 protected:
  BackupCare() : image_(make_image("disk.raw", 300'000)) { make_repository(); }

  void back_up(const Words& more = {}) {
    Words words{"create", "-q", "--name", "web01", "--image", image_};
    words.insert(words.end(), more.begin(), more.end());
    expect(0, words);
  }
  // A byte in the middle of the largest pack, which is one of chunks.
  void damage() const {
    std::string largest;
    for (const auto& entry : fs::recursive_directory_iterator(repository() + "/packs"))
      if (entry.is_regular_file() && (largest.empty() || entry.file_size() > fs::file_size(largest)))
        largest = entry.path();
    overwrite(largest, fs::file_size(largest) / 2, 16, 3);
  }

  const std::string image_;
};

TEST_F(BackupCare, WhatLostDataIsNoGoodOneAndIsMadeAnew) {
  back_up();
  damage();
  expect(13, {"check", "--read-data", "-q"});
  expect(13, {"repair", "--yes", "-q"});
  const auto status = expect(3, {"status"});
  EXPECT_TRUE(contains(status.out, "damaged")) << told(status);
  const auto again = expect(0, {"create", "--name", "web01", "--image", image_, "--skip-unchanged"});
  EXPECT_TRUE(contains(again.out, "lacks some of its data")) << told(again);
  expect(0, {"status", "-q"});
  expect(0, {"restore", "-q", "web01@latest", "--to", file("back.raw")});
  EXPECT_TRUE(same(image_, file("back.raw")));
  EXPECT_TRUE(contains(expect(0, {"create", "--name", "web01", "--image", image_, "--skip-unchanged"}).out,
                       "not changed since"));
}

TEST_F(BackupCare, OptionsAreLookedAtBeforeAnythingIsDone) {
  back_up();
  next_second();
  overwrite(image_, 0, 10, 9);
  back_up();
  const std::string target = make_image("target.raw", 400'000);
  expect(2, {"restore", "web01@latest", "--to", target, "--yes", "--workers", "0"});
  EXPECT_EQ(fs::file_size(target), 400'000U);
  expect(2, {"restore", "web01@latest", "--to", file("new.raw"), "--limit-rate", "bogus"});
  EXPECT_FALSE(fs::exists(file("new.raw.muster-partial")));
  expect(2, {"forget", "web01", "--keep-last", "1", "--prune", "--max-repack", "bogus"});
  EXPECT_EQ(points().size(), 2U);
  expect(10, {"repair", "--yes", "--from", file("none")});
  expect(5, {"repair"});
}

TEST_F(BackupCare, ALargerTargetKeepsItsTailUntilAllIsWritten) {
  back_up();
  const std::string target = make_image("target.raw", 400'000);
  damage();
  expect(13, {"restore", "web01@latest", "--to", target, "--yes"});
  EXPECT_EQ(fs::file_size(target), 400'000U);
}

TEST_F(BackupCare, APlanIsWhatHappens) {
  back_up();
  next_second();
  back_up();
  const Words words{"create", "--name", "web01", "--image", image_, "--keep-last", "1", "--json"};
  Words plan = words;
  plan.emplace_back("--dry-run");
  const auto planned = summary_of(json_lines(expect(0, plan).out));
  EXPECT_EQ(planned.value("forgotten", 0), 2);
  EXPECT_EQ(planned.value("plan", ""), "create");
  next_second();
  EXPECT_EQ(summary_of(json_lines(expect(0, words).out)).value("forgotten", 0), 2);
  const auto tags = expect(0, {"tag", "web01@latest", "gold", "--dry-run"});
  EXPECT_TRUE(contains(tags.out, "would be")) << told(tags);
  EXPECT_TRUE(contains(tags.out, "gold")) << told(tags);
  EXPECT_EQ(summary_of(json_lines(expect(0, {"prune", "--dry-run", "--json"}).out)).value("plan", ""), "prune");
}

TEST_F(BackupCare, APruneAfterAForgottenPlanFreesWhatItWouldFree) {
  const std::string large = make_image("large.raw", 2U << 20U);
  expect(0, {"create", "-q", "--name", "db", "--image", large});
  next_second();
  expect(0, {"create", "-q", "--name", "db", "--image", image_});
  const Words words{"forget", "db", "--keep-last", "1", "--prune", "--json"};
  Words plan = words;
  plan.emplace_back("--dry-run");
  EXPECT_GT(summary_of(json_lines(expect(0, plan).out)).value("sentenced_bytes", 0U), 1U << 20U);
  EXPECT_EQ(points().size(), 2U);
}

TEST_F(BackupCare, WhatIsLeftOfAnotherFormatIsNoHindrance) {
  back_up();
  make_image("back.qcow2.muster-partial", 300'000);
  expect(0, {"restore", "-q", "web01@latest", "--to", file("back.qcow2"), "--format", "qcow2"});
  EXPECT_FALSE(fs::exists(file("back.qcow2.muster-partial")));
}

TEST_F(BackupCare, OptionsOfOtherVerbsAreNotPassedOver) {
  back_up();
  expect(2, {"key", "export", "--to", file("paper.txt")});
  expect(2, {"key", "recover", "--role", "maintenance", "--to", file("m.key")});
  expect(2, {"key", "list", "--role", "host"});
  expect(2, {"pin", "web01@latest:9"});
  expect(2, {"show", "web01@latest:1:/x"});
}

TEST_F(BackupCare, ADiskThatOnlyOnePointHasDiffersAsAWhole) {
  back_up();
  next_second();
  back_up({"--image", make_image("second.raw", 4096)});
  const auto first = points().at(0).value("point", "").substr(0, 12);
  const auto lines = json_lines(expect(0, {"diff", first, "web01@latest", "--json"}).out);
  ASSERT_EQ(lines.size(), 3U);
  bool alone = false;
  for (const auto& line : lines) alone = alone || (line.value("disk", "") == "2" && line.value("bytes", 0) == 4096);
  EXPECT_TRUE(alone);
  EXPECT_TRUE(contains(expect(0, {"diff", first, "web01@latest"}).out, "only in the second"));
}

TEST_F(BackupCare, OneDiskThatIsRefusedIsSeenBeforeTheOthersAreWritten) {
  back_up({"--image", make_image("second.raw", 1U << 20U)});
  fs::create_directory(file("to"));
  make_image("to/web01-2.raw", 512);
  expect(5, {"restore", "web01@latest", "--to", file("to"), "--yes"});
  EXPECT_FALSE(fs::exists(file("to/web01-1.raw")));
}

}  // namespace
}  // namespace muster::e2e
