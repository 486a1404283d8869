// muster backup when something is in the way: no repository, no permission, no space, an interrupt, a kill.
#include <filesystem>

#include <signal.h>

#include "base/child_process.h"
#include "tests/e2e/backup_fixture.h"
#include "tests/e2e/process_table.h"
#include "tests/e2e/pty_process.h"

namespace muster::e2e {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class BackupTrouble : public BackupTest {
 protected:
  BackupTrouble() : image_(make_image("disk.raw", 1U << 20U)) {}

  bool has_files(const std::string& name) const {
    const std::string directory = repository() + "/" + name;
    return fs::exists(directory) && !fs::is_empty(directory);
  }
  // The words as another user, with the owner's key.
  Finished nobody(const Words& words, const std::string& key) const {
    Launch launch = backup_command(words);
    launch.argv.insert(launch.argv.end(), {"--key-file", key});
    launch.argv = as_nobody(launch.argv);
    return run(launch);
  }

  const std::string image_;
};

TEST_F(BackupTrouble, WithoutARepositoryItSaysSo) {
  const auto missing = expect(10, {"list"});
  EXPECT_TRUE(contains(missing.err, repository())) << told(missing);
  fs::create_directory(repository());
  expect(10, {"list"});
  expect(10, {"create", "--name", "web01", "--image", image_});
  expect(4, {"list", "-R", "s3://example.org/bucket"});
  expect(4, {"list", "-R", "sftp://example.org/backup"});
  expect(2, {"list", "-R", ""});
}

TEST_F(BackupTrouble, ARepositoryHasToBeNamed) {
  Launch launch = backup_command({"list"});
  std::erase_if(launch.environment, [](const std::string& entry) { return entry.starts_with("MUSTER_REPOSITORY="); });
  const auto unnamed = run(launch);
  EXPECT_EQ(unnamed.code, 2);
  EXPECT_TRUE(contains(unnamed.err, "-R, MUSTER_REPOSITORY")) << told(unnamed);
  make_repository();
  fs::create_directories(home() + "/.config/muster");
  write(home() + "/.config/muster/config.yaml", "repository: " + repository() + "\n");
  EXPECT_EQ(run(launch).code, 0);
}

TEST_F(BackupTrouble, WrongUsageStartsNothing) {
  make_repository();
  for (const Words& words : std::vector<Words>{{},
                                               {"make"},
                                               {"create", "--name", "web01"},
                                               {"create", "--image", image_},
                                               {"create", "--name", "a@b", "--image", image_},
                                               {"create", "--name", "web01", "--image", file("missing.raw")},
                                               {"create", "--name", "web01", "--image", file("")},
                                               {"create", "--name", "web01", "--image", image_, "--compression", "99"},
                                               {"create", "--name", "web01", "--image", image_, "--limit-rate", "0"},
                                               {"create", "--name", "web01", "--image", image_, "--check=3/2"},
                                               {"create", "web01", "--name", "web01", "--image", image_},
                                               {"list", "--verify"},
                                               {"restore", "web01@latest"},
                                               {"check", "--read-data=x"}}) {
    const auto done = backup(words);
    EXPECT_EQ(done.code, 2) << told(done);
  }
  EXPECT_FALSE(has_files("points"));
}

TEST_F(BackupTrouble, AnImageThatAMachineWritesToIsBusy) {
  make_repository();
  base::ChildProcess machine({"qemu-nbd", "--socket=" + file("nbd"), "-f", "raw", "-t", image_});
  ASSERT_TRUE(wait_until([&] { return fs::exists(file("nbd")); }));
  const auto busy = create("web01", {image_});
  EXPECT_EQ(busy.code, 11) << told(busy);
}

TEST_F(BackupTrouble, AReadOnlyRepositoryCanBeRestoredFrom) {
  if (!is_root()) GTEST_SKIP() << "another user needs root";
  make_repository();
  expect(0, {"create", "-q", "--name", "web01", "--image", image_});
  const std::string key = file("copy.key"), back = file("back");
  write(key, read(usual_key_file()), 0644);
  fs::permissions(image_, fs::perms(0644));
  fs::create_directory(back);
  fs::permissions(back, fs::perms(0777));
  const auto denied = nobody({"list"}, key);
  EXPECT_EQ(denied.code, 1) << told(denied);
  EXPECT_TRUE(contains(denied.err, "ermission denied")) << told(denied);
  EXPECT_EQ(run({.argv = {"chmod", "-R", "a+rX", repository()}}).code, 0);
  EXPECT_EQ(nobody({"list"}, key).code, 0);
  const auto unwritten = nobody({"create", "--name", "web01", "--image", image_}, key);
  EXPECT_EQ(unwritten.code, 1) << told(unwritten);
  const auto restored = nobody({"restore", "web01@latest", "--to", back}, key);
  EXPECT_EQ(restored.code, 0) << told(restored);
  EXPECT_TRUE(contains(restored.err, "do not prune meanwhile")) << told(restored);
  EXPECT_TRUE(same(image_, back + "/web01-1.raw"));
  EXPECT_EQ(nobody({"restore", "web01@latest", "--to", home() + "/back.raw"}, key).code, 1);
  EXPECT_EQ(points().size(), 1U);
}

TEST_F(BackupTrouble, AFullFileSystemLosesNothing) {
  if (!is_root()) GTEST_SKIP() << "mounting needs root";
  const SmallFileSystem small(file("small"), "64m");
  const std::string repo = file("small/repo");
  add_environment("MUSTER_REPOSITORY=" + repo);
  expect(0, {"init", "-q", repo});
  const std::string first = make_image("first.raw", 20U << 20U, 1), second = make_image("second.raw", 20U << 20U, 2);
  const std::string third = make_image("third.raw", 38U << 20U, 3);
  expect(0, {"create", "-q", "--name", "web01", "--image", first});
  next_second();
  expect(0, {"create", "-q", "--name", "web01", "--image", second});
  const auto full = create("web01", {third});
  EXPECT_EQ(full.code, 14) << told(full);
  expect(0, {"check", "-q", "--read-data"});
  EXPECT_EQ(points().size(), 2U);
  expect(0, {"restore", "-q", "web01@latest", "--to", file("back.raw"), "--verify"});
  EXPECT_TRUE(same(second, file("back.raw")));
  const auto freed = expect(0, {"forget", "web01", "--keep-last", "1", "--prune"});
  EXPECT_TRUE(contains(freed.out, "freed 20M in ")) << told(freed);
  expect(0, {"create", "-q", "--name", "web01", "--image", third});
  expect(0, {"check", "-q", "--read-data"});
  expect(0, {"restore", "-q", "web01@latest", "--to", file("third-back.raw")});
  EXPECT_TRUE(same(third, file("third-back.raw")));
}

TEST_F(BackupTrouble, AnInitWithoutRoomLeavesAKeyAndNoRepository) {
  if (!is_root()) GTEST_SKIP() << "mounting needs root";
  const SmallFileSystem small(file("small"), "4k");
  const auto full = backup({"init", file("small/repo")});
  EXPECT_EQ(full.code, 14) << told(full);
  EXPECT_NE(usual_key_file(), "");
  expect(10, {"list", "-R", file("small/repo")});
}

TEST_F(BackupTrouble, ATargetWithoutRoomIsToldApart) {
  if (!is_root()) GTEST_SKIP() << "mounting needs root";
  make_repository();
  const std::string image = make_image("larger.raw", 6U << 20U);
  expect(0, {"create", "-q", "--name", "web01", "--image", image});
  const SmallFileSystem small(file("small"), "4m");
  const auto full = backup({"restore", "web01@latest", "--to", file("small/back.raw")});
  EXPECT_EQ(full.code, 14) << told(full);
  EXPECT_FALSE(fs::exists(file("small/back.raw")));
}

TEST_F(BackupTrouble, ARestoreThatWasKilledGoesOn) {
  make_repository();
  const std::string image = make_image("large.raw", 24U << 20U), back = file("back.raw");
  expect(0, {"create", "-q", "--name", "web01", "--image", image});
  MusterProcess process(backup_command({"restore", "web01@latest", "--to", back, "--limit-rate", "4M"}));
  ASSERT_TRUE(wait_until([&] { return allocated_bytes(back + ".muster-partial") > 1U << 20U; }));
  process.signal(SIGKILL);
  EXPECT_EQ(process.finish().signal, SIGKILL);
  EXPECT_FALSE(fs::exists(back)) << "half of it must not look whole";
  const auto lines = json_lines(expect(0, {"restore", "web01@latest", "--to", back, "--json"}).out);
  EXPECT_GT(lines.at(0).value("kept_bytes", 0U), 1U << 20U);
  EXPECT_TRUE(same(image, back));
  EXPECT_FALSE(fs::exists(back + ".muster-partial"));
}

TEST_F(BackupTrouble, APartialOfAnotherDiskIsNotGoneOnWith) {
  make_repository();
  expect(0, {"create", "-q", "--name", "web01", "--image", image_});
  make_image("back.raw.muster-partial", 5000, 9);
  expect(0, {"restore", "-q", "web01@latest", "--to", file("back.raw")});
  EXPECT_TRUE(same(image_, file("back.raw")));
}

TEST_F(BackupTrouble, ABackupThatWasKilledLeavesTheRepositoryWhole) {
  make_repository();
  const std::string image = make_image("large.raw", 16U << 20U);
  MusterProcess process(backup_command({"create", "--name", "web01", "--image", image, "--limit-rate", "2M"}));
  ASSERT_TRUE(wait_until([&] { return has_files("leases"); }));
  process.signal(SIGKILL);
  EXPECT_EQ(process.finish().signal, SIGKILL);
  expect(0, {"check", "-q", "--read-data"});
  EXPECT_EQ(points().size(), 0U);
  expect(0, {"create", "-q", "--name", "web01", "--image", image});
  expect(0, {"prune", "-q"});
  expect(0, {"check", "-q", "--read-data"});
}

TEST_F(BackupTrouble, AnInterruptEndsABackupCleanly) {
  make_repository();
  const std::string image = make_image("large.raw", 16U << 20U);
  MusterProcess process(
      backup_command({"create", "--name", "web01", "--image", image, "--limit-rate", "1M", "--json"}));
  ASSERT_TRUE(wait_until([&] { return has_files("leases"); }));
  process.signal(SIGINT);
  const auto done = process.finish();
  EXPECT_EQ(done.code, 130) << told(done);
  EXPECT_LT(done.took, 10s);
  EXPECT_EQ(summary_of(json_lines(done.out)).value("exit", 0), 130);
  EXPECT_FALSE(has_files("leases")) << "it gave back its lease";
  expect(0, {"check", "-q"});
  EXPECT_EQ(points().size(), 0U);
}

TEST_F(BackupTrouble, AnInterruptEndsARestoreThatGoesOnLater) {
  make_repository();
  const std::string image = make_image("large.raw", 16U << 20U), back = file("back.raw");
  expect(0, {"create", "-q", "--name", "web01", "--image", image});
  MusterProcess process(backup_command({"restore", "web01@latest", "--to", back, "--limit-rate", "1M"}));
  ASSERT_TRUE(wait_until([&] { return fs::exists(back + ".muster-partial"); }));
  process.signal(SIGINT);
  EXPECT_EQ(process.finish().code, 130);
  expect(0, {"restore", "-q", "web01@latest", "--to", back});
  EXPECT_TRUE(same(image, back));
}

TEST_F(BackupTrouble, ATerminalSeesProgress) {
  make_repository();
  const std::string image = make_image("large.raw", 8U << 20U);
  PtyProcess process(backup_command({"create", "--name", "web01", "--image", image, "--limit-rate", "2M"}));
  EXPECT_TRUE(process.wait_for("web01: ")) << process.screen();
  EXPECT_TRUE(process.wait_for(" of 8M (")) << process.screen();
  const auto done = process.finish();
  EXPECT_EQ(done.code, 0) << done.out;
}

TEST_F(BackupTrouble, WhatIsThereIsOverwrittenOnlyWhenToldTo) {
  make_repository();
  expect(0, {"create", "-q", "--name", "web01", "--image", image_});
  const std::string back = make_image("back.raw", 1U << 20U, 5);
  const auto refused = expect(5, {"restore", "web01@latest", "--to", back});
  EXPECT_TRUE(contains(refused.err, "--yes")) << told(refused);
  EXPECT_FALSE(same(image_, back));
  expect(0, {"restore", "-q", "web01@latest", "--to", back, "--yes"});
  EXPECT_TRUE(same(image_, back));
  overwrite(back, 700'000, 10, 6);
  const auto lines = json_lines(expect(0, {"restore", "web01@latest", "--to", back, "--delta", "--json"}).out);
  EXPECT_EQ(lines.at(0).value("written_bytes", 0U), 256U << 10U);
  EXPECT_TRUE(same(image_, back));
}

TEST_F(BackupTrouble, TargetsOfOtherSizesAndKinds) {
  make_repository();
  expect(0, {"create", "-q", "--name", "web01", "--image", image_, "--image", image_});
  expect(5, {"restore", "web01@latest:1", "--to", make_image("small.raw", 1000), "--yes"});
  const std::string large = make_image("large.raw", 3U << 20U, 4);
  expect(0, {"restore", "-q", "web01@latest:1", "--to", large, "--yes"});
  EXPECT_TRUE(same(image_, large)) << "cut to the disk's size";
  expect(2, {"restore", "web01@latest", "--to", file("one.raw")});
  expect(2, {"restore", "web01@latest:1", "--to", file("named.qcow2")});
  expect(2, {"restore", "web01@latest:1", "--to", "/dev/null"});
  expect(2, {"restore", "web01@latest:3", "--to", file("one.raw")});
  expect(2, {"restore", "web01@latest:1", "--to", file("no/such/place.raw")});
  expect(2, {"restore", "web01@latest:1", "--to", file("no/such/directory/")});
  EXPECT_EQ(backup({"restore", "web01@latest:1", "--to", image_ + "/"}).code, 1) << "a file is no directory";
  expect(0, {"restore", "-q", "web01@latest:2", "--to", file("")});
  EXPECT_TRUE(same(image_, file("web01-2.raw")));
}

TEST_F(BackupTrouble, AMachineOfADriverWithoutBackupsIsToldApart) {
  make_repository();
  const auto done = expect(4, {"create", "test:///default#test"});
  EXPECT_TRUE(contains(done.err, "driver test")) << told(done);
}

}  // namespace
}  // namespace muster::e2e
