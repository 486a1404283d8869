// muster backup of areas: the files below directories, here and over SSH. Trees with every kind of file come back as
// they were; what did not change costs nothing; what is hostile stays inside.
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/e2e/area_fixture.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

namespace fs = std::filesystem;

class BackupArea : public BackupTest {
 protected:
  BackupArea() {
    if (!is_root()) return;
    make_repository();
    fs::create_directories(area());
  }
  void SetUp() override {
    if (!is_root()) GTEST_SKIP() << "owners, devices and mounts need root";
  }

  std::string area() const { return file("area"); }
  void put(const std::string& path, const std::string& bytes) const {
    fs::create_directories(fs::path(area() + "/" + path).parent_path());
    std::ofstream(area() + "/" + path, std::ios::binary) << bytes;
  }
  nlohmann::json create(const Words& more = {}, int status = 0) {
    Words words{"create", "--json", "--area", area(), "--name", "a"};
    words.insert(words.end(), more.begin(), more.end());
    const auto lines = json_lines(expect(status, words).out);
    return lines.empty()                                 ? nlohmann::json()
           : lines.front().value("type", "") == "result" ? lines.front()
                                                         : lines.back();
  }
  std::string names(const std::string& point) { return expect(0, {"show", point, "/*"}).out; }
};

TEST_F(BackupArea, ATreeOfEveryKindComesBackAsItWas) {
  make_full_tree(area());
  const auto made = create();
  EXPECT_EQ(made.at("consistency"), "files");
  EXPECT_EQ(made.at("area").at("unread"), 0);
  expect(0, {"check", "--read-data", "-q"});
  expect(0, {"restore", "a@latest", "--to", file("back")});
  EXPECT_EQ(difference(tree_of(area()), tree_of(file("back"))), "");
}

TEST_F(BackupArea, AsATarItIsWhatGnuTarExtracts) {
  make_full_tree(area());
  create();
  expect(0, {"restore", "a@latest", "--tar", "--to", file("a.tar")});
  fs::create_directory(file("back"));
  const auto done = run({.argv = {"tar", "-C", file("back"), "--xattrs", "--xattrs-include=*", "--numeric-owner",
                                  "-xpf", file("a.tar")}});
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_EQ(difference(tree_of(area()), tree_of(file("back"))), "");
}

TEST_F(BackupArea, WhatDidNotChangeIsNotReadAgain) {
  make_full_tree(area());
  wait_until_settled();
  const auto first = create();
  EXPECT_GT(first.at("bytes_read"), 9'000'000);
  const auto second = create();
  EXPECT_EQ(second.at("bytes_read"), 0);
  EXPECT_EQ(second.at("bytes_new"), 0);
  put("dir/added", "12345");
  const auto third = create();
  EXPECT_EQ(third.at("bytes_read"), 5);
  expect(0, {"restore", "a@latest", "--to", file("back")});
  EXPECT_EQ(difference(tree_of(area()), tree_of(file("back"))), "");
}

TEST_F(BackupArea, NamesOfAFileThatComeAndGoKeepItsBytes) {
  put("b", "content");
  fs::create_hard_link(area() + "/b", area() + "/c");
  wait_until_settled();
  create();
  fs::create_hard_link(area() + "/b", area() + "/a");
  create();
  fs::remove(area() + "/a");
  fs::remove(area() + "/b");
  create({"--exclude", "nothing"});
  expect(0, {"restore", "a@latest", "--to", file("back")});
  EXPECT_EQ(difference(tree_of(area()), tree_of(file("back"))), "");
}

TEST_F(BackupArea, FilesAreListedShownReadAndRestoredOneByOne) {
  make_full_tree(area());
  create();
  EXPECT_EQ(expect(0, {"ls", "a@latest:/dir"}).out, "empty\nlarge\nnothing\nplain\n");
  EXPECT_TRUE(contains(expect(0, {"ls", "--long", "a@latest"}).out, "link -> dir/plain"));
  EXPECT_EQ(expect(0, {"cat", "a@latest:/another name"}).out, "hello\n");
  EXPECT_EQ(expect(0, {"cat", "a@latest:/zz"}).out, "hello\n");
  EXPECT_TRUE(contains(expect(0, {"show", "a@latest", "/dir/large"}).out, "user.muster: 4 bytes"));
  EXPECT_TRUE(contains(expect(0, {"show", "a@latest", "larg*"}).out, "/dir/large"));
  expect(2, {"cat", "a@latest:/dir"});
  expect(0, {"restore", "a@latest:/dir", "--to", file("one")});
  EXPECT_EQ(fs::file_size(file("one") + "/dir/large"), 9'000'000U);
  expect(0, {"restore", "a@latest:/zz", "--to", file("two")});
  EXPECT_EQ(read(file("two") + "/zz"), "hello\n");
  EXPECT_NE(backup({"restore", "a@latest:/none", "--to", file("three")}).code, 0);
}

TEST_F(BackupArea, TwoRestorePointsAreComparedByTheirListings) {
  put("same", "1");
  put("gone", "1");
  put("other", "1");
  put("mode", "1");
  create();
  fs::remove(area() + "/gone");
  put("new", "1");
  put("other", "22");
  fs::permissions(area() + "/mode", fs::perms::owner_read);
  next_second();
  create();
  const auto lines = points();
  const auto out = expect(0, {"diff", lines[0].at("point"), lines[1].at("point")}).out;
  for (const char* line : {"removed   /gone", "added     /new", "content   /other", "metadata  /mode"})
    EXPECT_TRUE(contains(out, line)) << line << "\n" << out;
  EXPECT_FALSE(contains(out, "same")) << out;
}

TEST_F(BackupArea, ExcludesAndOtherFileSystemsAreLeftOut) {
  put("keep", "1");
  put("skip.o", "1");
  put("cache/x", "1");
  fs::create_directory(area() + "/mounted");
  const SmallFileSystem inside(area() + "/mounted", "1M");
  put("mounted/inside", "1");
  create({"--exclude", "*.o", "--exclude", "/cache", "--one-file-system"});
  const std::string one = names("a@latest");
  EXPECT_TRUE(contains(one, "/keep"));
  EXPECT_TRUE(contains(one, "/mounted"));
  for (const char* name : {"skip.o", "cache", "inside"}) EXPECT_FALSE(contains(one, name)) << one;
  create();
  EXPECT_TRUE(contains(names("a@latest"), "/mounted/inside"));
}

TEST_F(BackupArea, SocketsAreLeftOutAndCounted) {
  put("a", "1");
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  ASSERT_LT(area().size() + 3, sizeof address.sun_path);
  std::strcpy(address.sun_path, (area() + "/s").c_str());
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(create().at("area").at("skipped"), 1);
  ::close(fd);
}

// Of files that change all the time each is as it was at some moment, and the rest is whole.
TEST_F(BackupArea, FilesThatChangeAndVanishMeanwhileAreTold) {
  for (int i = 0; i < 200; ++i) put("d/" + std::to_string(i), noise(20'000, static_cast<unsigned>(i)));
  put("still", "1");
  MusterProcess busy({.argv = {"sh", "-c",
                               "cd " + area() +
                                   "; i=0; while :; do i=$(( (i + 7) % 200 )); rm -f d/$i; date >> d/$((i + 300)); "
                                   "head -c 1000 /dev/zero >> d/growing; echo x >> d/$i; done"},
                      .environment = {"PATH=/usr/bin:/bin"},
                      .deadline = std::chrono::seconds(100)});
  for (int i = 0; i < 5; ++i) {
    const auto done = backup({"create", "--area", area(), "--name", "a"});
    EXPECT_TRUE(done.code == 0 || done.code == 3) << told(done);
  }
  busy.signal(SIGKILL);
  busy.finish();
  expect(0, {"check", "--read-data", "-q"});
  expect(0, {"restore", "a@latest", "--to", file("back")});
  EXPECT_EQ(read(file("back") + "/still"), "1");
  create();
  fs::remove_all(file("back"));
  expect(0, {"restore", "a@latest", "--to", file("back")});
  EXPECT_EQ(difference(tree_of(area()), tree_of(file("back"))), "");
}

TEST_F(BackupArea, PruneKeepsWhatAreasNeedAndLetsTheRestGo) {
  put("large", noise(6'000'000, 1));
  put("small", "1");
  create();
  put("large", noise(6'000'000, 2));
  next_second();
  create({"--keep-last", "1", "--prune"});
  next_second();
  create({"--keep-last", "1", "--prune"});
  EXPECT_EQ(points().size(), 1U);
  expect(0, {"check", "--read-data", "-q"});
  std::uint64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(repository() + "/packs"))
    if (entry.is_regular_file()) bytes += entry.file_size();
  EXPECT_LT(bytes, 9'000'000U);
  expect(0, {"restore", "a@latest", "--to", file("back")});
  EXPECT_EQ(difference(tree_of(area()), tree_of(file("back"))), "");
}

TEST_F(BackupArea, DamageIsFoundAndMendedByTheNextBackup) {
  put("large", noise(3'000'000, 1));
  put("small", "1");
  wait_until_settled();
  create();
  for (const auto& entry : fs::recursive_directory_iterator(repository() + "/packs"))
    if (entry.is_regular_file() && entry.file_size() > 2'000'000) overwrite(entry.path(), 1'000'000, 10, 5);
  const auto found = backup({"check", "--read-data"});
  EXPECT_EQ(found.code, 13) << told(found);
  const auto restored = backup({"restore", "a@latest", "--to", file("part")});
  EXPECT_EQ(restored.code, 3) << told(restored);
  EXPECT_TRUE(contains(restored.err, "/large"));
  EXPECT_EQ(read(file("part") + "/small"), "1");
  EXPECT_FALSE(fs::exists(file("part") + "/large"));
  expect(13, {"repair", "--yes"});
  const auto mended = create();
  EXPECT_EQ(mended.at("bytes_read"), 3'000'000);
  expect(0, {"restore", "a@latest", "--to", file("back")});
  EXPECT_EQ(difference(tree_of(area()), tree_of(file("back"))), "");
}

TEST_F(BackupArea, ALinkThatWasPutInTheWayIsNotFollowed) {
  put("etc/passwd", "from the backup");
  create();
  fs::create_directories(file("outside"));
  fs::create_directories(file("back"));
  write(file("outside") + "/passwd", "outside");
  fs::create_directory_symlink(file("outside"), file("back") + "/etc");
  expect(5, {"restore", "a@latest", "--to", file("back")});
  expect(0, {"restore", "a@latest", "--to", file("back"), "--yes"});
  EXPECT_EQ(read(file("outside") + "/passwd"), "outside");
  EXPECT_EQ(read(file("back") + "/etc/passwd"), "from the backup");
}

TEST_F(BackupArea, InPlaceBringsBackWhatWasThereAndLeavesTheRest) {
  make_full_tree(area());
  const Tree before = tree_of(area());
  create();
  fs::remove_all(area() + "/dir");
  put("-dash", "changed");
  EXPECT_EQ(backup({"restore", "a@latest", "--in-place"}).code, 5);
  expect(0, {"restore", "a@latest", "--in-place", "--yes"});
  EXPECT_EQ(difference(before, tree_of(area())), "");
}

TEST_F(BackupArea, OthersThanRootGetWhatTheyMayHave) {
  make_full_tree(area());
  create();
  const auto made = backup({"restore", "a@latest", "--tar", "--to", file("a.tar")});
  EXPECT_EQ(made.code, 0) << told(made);
  // The same program as nobody, on a copy of the repository that nobody may read.
  fs::create_directory(file("theirs"));
  fs::permissions(file(""), fs::perms::all);
  ASSERT_EQ(run({.argv = {"chown", "-R", "65534:65534", file("theirs"), repository(), home()},
                 .environment = {"PATH=/usr/bin:/bin"}})
                .code,
            0);
  auto launch = backup_command({"restore", "a@latest", "--to", file("theirs") + "/back"});
  launch.argv = as_nobody(launch.argv);
  const auto done = run(launch);
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_TRUE(contains(done.err, "devices were left out")) << told(done);
  EXPECT_TRUE(contains(done.err, "belong to this user now")) << told(done);
  EXPECT_EQ(fs::status(file("theirs") + "/back/dir/nothing").permissions() & fs::perms::set_uid, fs::perms::none);
  EXPECT_EQ(read(file("theirs") + "/back/dir/plain"), "hello\n");
}

TEST_F(BackupArea, OverSshItIsTheSame) {
  make_full_tree(area());
  const SshServer server(accepting_key());
  use({host(server, "web01")});
  wait_until_settled();
  const Words words{"create", "--json", "--area", "web01:" + area(), "--name", "remote"};
  const auto first = json_lines(expect(0, words).out).front();
  EXPECT_EQ(first.at("area").at("host"), "web01");
  EXPECT_EQ(json_lines(expect(0, words).out).front().at("bytes_read"), 0);
  expect(0, {"restore", "remote@latest", "--to", file("back")});
  EXPECT_EQ(difference(tree_of(area()), tree_of(file("back"))), "");
  const Tree before = tree_of(area());
  fs::remove_all(area() + "/dir");
  fs::remove(area() + "/fifo");
  expect(0, {"restore", "remote@latest", "--in-place", "--yes"});
  EXPECT_EQ(difference(before, tree_of(area())), "");
}

TEST_F(BackupArea, InPlaceOverSshDoesNotFillTheDiskHere) {
  put("large", noise(100'000'000, 1));
  const SshServer server(accepting_key());
  use({host(server, "web01")});
  expect(0, {"create", "--area", "web01:" + area(), "--name", "remote"});
  const Tree before = tree_of(area());
  fs::remove(area() + "/large");
  fs::create_directory(file("small"));
  const SmallFileSystem small(file("small"), "64M");
  auto launch = backup_command({"restore", "remote@latest", "--in-place", "--yes"});
  launch.environment.push_back("TMPDIR=" + file("small"));
  const auto done = run(launch);
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_EQ(difference(before, tree_of(area())), "");
}

// A tar over there that cannot write says so, and nothing waits for it.
TEST_F(BackupArea, InPlaceWhereThereIsNoRoomFails) {
  put("large", noise(60'000'000, 1));
  const SshServer server(accepting_key());
  use({host(server, "web01")});
  expect(0, {"create", "--area", "web01:" + area(), "--name", "remote"});
  fs::remove(area() + "/large");
  const SmallFileSystem small(area(), "1M");
  const SshServer inside(accepting_key());
  use({host(inside, "web01")});
  const auto done = backup({"restore", "remote@latest", "--in-place", "--yes"});
  EXPECT_NE(done.code, 0) << told(done);
  EXPECT_TRUE(contains(done.err, "not all of it was restored")) << told(done);
  EXPECT_FALSE(contains(done.err, "hdrcharset")) << told(done);
}

TEST_F(BackupArea, AMachineWithoutGnuToolsIsToldClearly) {
  put("a", "1");
  write(file("find"), "#!/bin/sh\necho 'find: unrecognized: -printf' >&2\nexit 1\n", 0755);
  auto launch = backup_command({"create", "--area", area(), "--name", "a"});
  for (auto& one : launch.environment)
    if (one.starts_with("PATH=")) one = "PATH=" + file("") + ":/usr/bin:/bin";
  launch.environment.push_back("PATH=" + file("") + ":/usr/bin:/bin");
  const auto done = run(launch);
  EXPECT_EQ(done.code, 4) << told(done);
  EXPECT_TRUE(contains(done.err, "unrecognized: -printf")) << told(done);
}

TEST_F(BackupArea, HooksRunAroundItHereAndOnItsMachine) {
  put("a", "1");
  const SshServer server(accepting_key());
  use({host(server, "web01")});
  expect(0, {"create", "--area", "web01:" + area(), "--name", "n", "--pre", "guest:echo pre > " + area() + "/pre",
             "--post", "echo $MUSTER_STATUS $MUSTER_NAME > " + file("post")});
  EXPECT_EQ(expect(0, {"cat", "n@latest:/pre"}).out, "pre\n");
  EXPECT_EQ(read(file("post")), "ok n\n");
}

TEST_F(BackupArea, OneThatFailsDoesNotKeepTheOthers) {
  put("a", "1");
  const SshServer server(accepting_key());
  use({host(server, "web01"), host(server, "web02").set("address", "127.0.0.1").set("port", "1")});
  const auto done = backup({"create", "--json", "--area", "web*:" + area(), "--area", "web01:/none", "--area", area(),
                            "--metrics", file("metrics")});
  EXPECT_EQ(done.code, 3) << told(done);
  int ok = 0, failed = 0;
  for (const auto& line : json_lines(done.out))
    if (line.value("type", "") == "result") ++(line.at("outcome") == "ok" ? ok : failed);
  EXPECT_EQ(ok, 2) << told(done);
  EXPECT_EQ(failed, 2) << told(done);
  EXPECT_EQ(points().size(), 2U);
  EXPECT_TRUE(contains(read(file("metrics")), "web01-"));
}

TEST_F(BackupArea, APlanReadsNothing) {
  put("a", std::string(1000, 'a'));
  const auto done = expect(0, {"create", "--area", area(), "--name", "a", "--dry-run"});
  EXPECT_TRUE(contains(done.out, "2 files and directories")) << told(done);
  EXPECT_TRUE(points().empty());
}

TEST_F(BackupArea, KilledAtAnyMomentTheRepositoryIsClean) {
  for (int i = 0; i < 300; ++i) put("d/" + std::to_string(i), noise(30'000, static_cast<unsigned>(i)));
  for (int milliseconds = 20; milliseconds < 400; milliseconds += 60) {
    MusterProcess process(backup_command({"create", "--area", area(), "--name", "a"}));
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
    wait_until([&] { return std::chrono::steady_clock::now() >= until || !is_running(process.pid()); });
    process.signal(SIGKILL);
    process.finish();
    expect(0, {"check", "--read-data", "-q"});
  }
  create();
  expect(0, {"restore", "a@latest", "--to", file("back")});
  EXPECT_EQ(difference(tree_of(area()), tree_of(file("back"))), "");
}

TEST_F(BackupArea, AnInterruptEndsItAndWhatItStarted) {
  put("large", std::string(200'000'000, 'x'));
  MusterProcess process(backup_command({"create", "--area", area(), "--name", "a", "--limit-rate", "1M"}));
  wait_until([&] { return fs::exists(repository() + "/leases") && !fs::is_empty(repository() + "/leases"); });
  process.signal(SIGINT);
  const auto done = process.finish();
  EXPECT_EQ(done.code, 130) << told(done);
  EXPECT_TRUE(points().empty());
}

TEST_F(BackupArea, WhatCannotBeIsUsage) {
  put("a", "1");
  for (const Words& words : {Words{"create", "--area", area(), "--image", "x"}, Words{"create", "--area", ":/x"},
                             Words{"create", "--area", area(), "web01"}, Words{"create", "--exclude", "x", "web01"},
                             Words{"create", "--area", area(), "--exclude", "/"}})
    expect(2, words);
  create();
  expect(2, {"restore", "a@latest:vda", "--to", file("x")});
  expect(2, {"serve", "a@latest"});
  expect(2, {"restore", "a@latest:/../x", "--to", file("x")});
  // Another area under the same name.
  fs::create_directory(file("other"));
  expect(2, {"create", "--area", file("other"), "--name", "a"});
}

}  // namespace
}  // namespace muster::e2e
