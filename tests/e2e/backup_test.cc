// muster backup: what goes in comes out, for images of every kind; lists, labels, retention, and what --json says.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

#include <signal.h>

#include "tests/e2e/backup_fixture.h"
#include "tests/e2e/loop_device.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class Backup : public BackupTest {
 protected:
  Backup() { make_repository(); }

  // Shell commands that make images.
  void shell(const std::string& commands) const {
    const auto done = run({.argv = {"sh", "-ec", "cd " + file("") + "\n" + commands}});
    EXPECT_EQ(done.code, 0) << told(done);
  }
};

TEST_F(Backup, ImagesOfAnySizeComeBackAsTheyWere) {
  const std::vector<std::size_t> sizes{0, 1, 511, 512, 4097, 262'143, 262'144, 262'145, (3U << 20U) + 5};
  Words images;
  for (const auto size : sizes)
    images.push_back(make_image("image" + std::to_string(size) + ".raw", size, static_cast<unsigned>(size)));
  const auto made = create("web01", images);
  EXPECT_EQ(made.code, 0) << told(made);
  EXPECT_TRUE(made.out.starts_with("web01: restore point ")) << told(made);
  expect(0, {"restore", "web01@latest", "--to", file("back/"), "--verify"});
  for (std::size_t i = 0; i < images.size(); ++i) {
    const std::string back = file("back/web01-" + std::to_string(i + 1) + ".raw");
    EXPECT_EQ(fs::file_size(back), sizes[i]);
    EXPECT_TRUE(same(images[i], back)) << back;
  }
  EXPECT_EQ(listing(file("back")).find("partial"), std::string::npos);
}

TEST_F(Backup, ASecondOneStoresWhatChanged) {
  const std::string image = make_image("disk.raw", 4U << 20U);
  expect(0, {"create", "-q", "--name", "web01", "--image", image});
  overwrite(image, 1U << 20U, 4096, 7);
  next_second();
  const auto lines = json_lines(expect(0, {"create", "--json", "--name", "web01", "--image", image}).out);
  const auto summary = summary_of(lines);
  EXPECT_EQ(summary.value("bytes_read", 0U), 4U << 20U);
  EXPECT_EQ(summary.value("bytes_new", 0U), 256U << 10U) << "one chunk";
  expect(0, {"restore", "web01@latest", "--to", file("back.raw")});
  EXPECT_TRUE(same(image, file("back.raw")));
}

TEST_F(Backup, EqualDisksAreStoredOnce) {
  const std::string image = make_image("disk.raw", 2U << 20U);
  expect(0, {"create", "-q", "--name", "web01", "--image", image});
  const auto lines = json_lines(expect(0, {"create", "--json", "--name", "web02", "--image", image}).out);
  EXPECT_EQ(summary_of(lines).value("bytes_new", 1U), 0U);
}

TEST_F(Backup, AQcow2WithABackingFileIsWhatItsGuestSees) {
  shell(
      "qemu-img create -q -f qcow2 base.qcow2 8M\n"
      "qemu-io -f qcow2 -c 'write -P 0x11 0 3M' base.qcow2\n"
      "qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 top.qcow2\n"
      "qemu-io -f qcow2 -c 'write -P 0x22 1M 64k' -c 'write -z 2M 512k' top.qcow2");
  expect(0, {"create", "-q", "--name", "web01", "--image", file("top.qcow2")});
  expect(0, {"restore", "-q", "web01@latest", "--to", file("back.raw"), "--verify"});
  expect(0, {"restore", "-q", "web01@latest", "--to", file("back.qcow2"), "--format", "qcow2", "--verify"});
  shell(
      "qemu-img compare -q -f qcow2 -F raw top.qcow2 back.raw\n"
      "qemu-img compare -q -f qcow2 -F qcow2 top.qcow2 back.qcow2\n"
      "qemu-img check -q -f qcow2 back.qcow2");
  EXPECT_EQ(points().at(0)["disks"][0].value("format", ""), "qcow2");
}

TEST_F(Backup, WhatLooksLikeAnotherFormatHasToBeTold) {
  shell("qemu-img create -q -f qcow2 disk 1M");
  const auto refused = create("web01", {file("disk")});
  EXPECT_EQ(refused.code, 2) << told(refused);
  expect(0, {"create", "-q", "--name", "web01", "--image", file("disk"), "--image-format", "raw"});
  next_second();
  expect(0, {"create", "-q", "--name", "web02", "--image", file("disk"), "--image-format", "qcow2"});
  EXPECT_EQ(points().at(0).value("size_bytes", 0U), fs::file_size(file("disk")));
  EXPECT_EQ(points().at(1).value("size_bytes", 0U), 1U << 20U);
}

TEST_F(Backup, TwoTebibytesOfHolesTakeSeconds) {
  std::ofstream(file("huge.raw")).close();
  fs::resize_file(file("huge.raw"), std::uint64_t{2} << 40U);
  overwrite(file("huge.raw"), std::size_t{1} << 40U, 1U << 20U, 3);
  const auto made = create("huge", {file("huge.raw")});
  EXPECT_EQ(made.code, 0) << told(made);
  const auto back = expect(0, {"restore", "huge@latest", "--to", file("back.raw")});
  EXPECT_LT(made.took + back.took, 40s);
  EXPECT_EQ(fs::file_size(file("back.raw")), std::uint64_t{2} << 40U);
  EXPECT_LT(allocated_bytes(file("back.raw")), 4U << 20U);
  const std::string skip = std::to_string(std::uint64_t{1} << 40U), count = std::to_string(1U << 20U);
  EXPECT_EQ(run({.argv = {"cmp", "-n", count, "-i", skip, file("huge.raw"), file("back.raw")}}).code, 0);
}

// A block device of large sectors, as a target and as a source.
TEST_F(Backup, BlockDevicesOfFourKibibyteSectors) {
  if (!is_root()) GTEST_SKIP() << "loop devices need root";
  const std::string image = make_image("disk.raw", 2U << 20U);
  make_image("device.raw", 3U << 20U, 9);
  std::optional<LoopDevice> loop(std::in_place, file("device.raw"), Words{"--sector-size", "4096"});
  const std::string device = loop->path();
  ASSERT_NE(device, "");
  expect(0, {"create", "-q", "--name", "web01", "--image", image});
  EXPECT_EQ(backup({"restore", "web01@latest", "--to", device}).code, 5) << "it is there";
  expect(0, {"restore", "web01@latest", "--to", device, "--yes", "--verify"});
  expect(0, {"create", "-q", "--name", "device", "--image", device});
  const auto delta = expect(0, {"restore", "web01@latest", "--to", device, "--delta", "--json"});
  EXPECT_EQ(summary_of(json_lines(delta.out)).value("exit", 1), 0);
  EXPECT_EQ(json_lines(delta.out).at(0).value("written_bytes", 1U), 0U) << told(delta);
  expect(0, {"restore", "device@latest", "--to", file("back.raw")});
  loop.reset();
  EXPECT_EQ(fs::file_size(file("back.raw")), 3U << 20U);
  EXPECT_EQ(run({.argv = {"cmp", "-n", std::to_string(2U << 20U), image, file("back.raw")}}).code, 0);
}

TEST_F(Backup, UnchangedImagesArePassedOver) {
  const std::string image = make_image("disk.raw", 1U << 20U);
  const Words words{"create", "--name", "web01", "--image", image, "--skip-unchanged"};
  expect(0, words);
  const auto again = expect(0, words);
  EXPECT_TRUE(contains(again.out, "not changed since restore point ")) << told(again);
  EXPECT_EQ(points().size(), 1U);
  EXPECT_EQ(json_lines(expect(0, {"create", "--name", "web01", "--image", image, "--skip-unchanged", "--json"}).out)
                .at(0)
                .value("outcome", ""),
            "unchanged");
  overwrite(image, 0, 10, 8);
  expect(0, words);
  EXPECT_EQ(points().size(), 2U);
}

TEST_F(Backup, ListShowTagAndPin) {
  const std::string image = make_image("disk.raw", 1000);
  expect(0, {"create", "-q", "--name", "web01", "--image", image, "--tag", "nightly"});
  const std::string id = points().at(0).value("point", "");
  expect(0, {"tag", id, "a", "b"});
  expect(0, {"tag", id, "nightly", "a", "--remove"});
  expect(0, {"pin", "web01@latest"});
  EXPECT_EQ(points().at(0)["tags"], nlohmann::json({"b"}));
  EXPECT_EQ(points().at(0)["pinned"], true);
  const auto list = expect(0, {"list", "web*"});
  EXPECT_TRUE(list.out.starts_with("POINT     NAME   TIME                 SIZE  NEW")) << list.out;
  EXPECT_TRUE(contains(list.out, id.substr(0, 8) + "  web01  2")) << list.out;
  EXPECT_TRUE(contains(expect(0, {"show", id.substr(0, 5)}).out, "pinned:      yes"));
  expect(0, {"pin", "web01@latest", "--remove"});
  EXPECT_EQ(points().at(0)["pinned"], false);
  expect(2, {"list", "db*"});
  expect(2, {"show", "web02@latest"});
  expect(2, {"tag", id});
  expect(2, {"tag", id, "no blanks"});
}

TEST_F(Backup, StatusIsForMonitoring) {
  EXPECT_EQ(backup({"status"}).code, 1) << "nobody has anything";
  const std::string image = make_image("disk.raw", 1000);
  expect(0, {"create", "-q", "--name", "web01", "--image", image});
  EXPECT_TRUE(contains(expect(0, {"status"}).out, "web01  ok")) << "26 hours";
  EXPECT_EQ(expect(0, {"status", "-q"}).out, "");
  ASSERT_TRUE(wait_until([&] { return backup({"status", "--max-age", "0s"}).code == 3; }));
  expect(0, {"create", "-q", "--name", "web02", "--image", image});
  const auto lines = json_lines(expect(0, {"status", "--json"}).out);
  EXPECT_EQ(missing_fields(lines.at(0), {"name", "state", "age", "point", "time"}), "");
  EXPECT_EQ(summary_of(lines).value("ok", 0), 2);
  expect(2, {"status", "nobody*"});
}

TEST_F(Backup, DiffTellsRanges) {
  const std::string image = make_image("disk.raw", 4U << 20U);
  expect(0, {"create", "-q", "--name", "web01", "--image", image});
  overwrite(image, 1U << 20U, 300'000, 5);
  next_second();
  expect(0, {"create", "-q", "--name", "web01", "--image", image});
  const auto found = points();
  const std::string from = found.at(0).value("point", ""), to = found.at(1).value("point", "");
  const auto lines = json_lines(expect(0, {"diff", from, to, "--json"}).out);
  EXPECT_EQ(lines.at(0)["ranges"], nlohmann::json::parse(R"([{"offset":1048576,"length":524288}])"));
  EXPECT_EQ(lines.at(0).value("bytes", 0), 524'288);
  EXPECT_TRUE(contains(expect(0, {"diff", from + ":1", to}).out, "disk 1: 512K in 1 ranges"));
  EXPECT_TRUE(contains(expect(0, {"diff", to, to}).out, "disk 1: 0 in 0 ranges"));
  expect(2, {"diff", from + ":7", to});
}

TEST_F(Backup, ForgetKeepsWhatThePolicySaysAndPruneGivesBackTheRest) {
  const std::string image = make_image("disk.raw", 2U << 20U);
  for (unsigned seed = 1; seed <= 3; ++seed) {
    overwrite(image, 0, 1U << 20U, 10 + seed);
    next_second();
    expect(0, {"create", "-q", "--name", "web01", "--image", image});
  }
  expect(0, {"pin", points().at(0).value("point", "")});
  const auto plan = expect(0, {"forget", "web*", "--keep-last", "1", "--dry-run"});
  EXPECT_TRUE(contains(plan.out, "would be let go")) << told(plan);
  EXPECT_EQ(points().size(), 3U);
  const auto forgotten = expect(0, {"forget", "web01", "--keep-last", "1", "--json"});
  EXPECT_EQ(summary_of(json_lines(forgotten.out)).value("forgotten", 0), 1) << told(forgotten);
  EXPECT_EQ(points().size(), 2U) << "the newest, and the pinned one";
  expect(0, {"prune", "--dry-run"});
  const auto pruned = summary_of(json_lines(expect(0, {"prune", "--json"}).out));
  EXPECT_EQ(missing_fields(pruned, {"removed_bytes", "sentenced_packs", "waited_for", "live_bytes"}), "");
  expect(0, {"check", "--read-data"});
  expect(0, {"restore", "-q", "web01@latest", "--to", file("back.raw")});
  EXPECT_TRUE(same(image, file("back.raw")));
  expect(2, {"forget", "web01"});
  expect(2, {"forget", "nobody", "--keep-last", "1"});
}

TEST_F(Backup, CreateLetsGoAndChecksWhatItIsToldTo) {
  const std::string image = make_image("disk.raw", 1U << 20U);
  for (unsigned seed = 1; seed <= 3; ++seed) {
    overwrite(image, 0, 1000, seed);
    next_second();
    expect(0, {"create", "-q", "--name", "web01", "--image", image, "--keep-last", "2", "--prune", "--check=1/1"});
  }
  expect(0, {"create", "-q", "--name", "web02", "--image", image, "--keep-last", "1"});
  EXPECT_EQ(points().size(), 3U) << "only its own name's are let go";
}

TEST_F(Backup, WhatIsQuietSaysNothing) {
  const std::string image = make_image("disk.raw", 1000);
  for (const Words& words : std::vector<Words>{{"create", "-q", "--name", "web01", "--image", image},
                                               {"create", "-q", "--name", "web01", "--image", image},
                                               {"tag", "-q", "web01@latest", "x"},
                                               {"check", "-q"},
                                               {"restore", "-q", "web01@latest", "--to", file("back.raw")},
                                               {"forget", "-q", "web01", "--keep-last", "1", "--prune"},
                                               {"prune", "-q"}}) {
    const auto done = expect(0, words);
    EXPECT_EQ(done.out + done.err, "") << words.front();
  }
}

TEST_F(Backup, DryRunsChangeNothing) {
  const std::string image = make_image("disk.raw", 1000);
  expect(0, {"create", "-q", "--name", "web01", "--image", image});
  const auto tree = [&] { return run({.argv = {"find", file(""), "-newer", file("mark"), "-type", "f"}}).out; };
  write(file("mark"), "");
  ASSERT_TRUE(wait_until([&] {
    write(file("probe"), "");
    return contains(tree(), "probe");
  }));
  fs::remove(file("probe"));
  for (const Words& words : std::vector<Words>{{"init", file("other")},
                                               {"key", "add", "--to", file("new.key")},
                                               {"create", "--name", "web01", "--image", image},
                                               {"tag", "web01@latest", "x"},
                                               {"pin", "web01@latest"},
                                               {"restore", "web01@latest", "--to", file("back/")},
                                               {"forget", "web01", "--keep-last", "1", "--prune"},
                                               {"prune"},
                                               {"repair"}}) {
    Words plan = words;
    plan.push_back("--dry-run");
    EXPECT_NE(expect(0, plan).out, "") << words.front();
    EXPECT_EQ(tree(), "") << words.front();
  }
}

TEST_F(Backup, MessagesHaveTheirFields) {
  const std::string image = make_image("disk.raw", 1U << 20U);
  const Words of_points{"point",      "name",      "time",         "tool",        "consistency", "parent",   "disks",
                        "size_bytes", "bytes_new", "bytes_stored", "bytes_dirty", "bytes_read",  "duration", "tags"};
  const auto created = json_lines(expect(0, {"create", "--json", "--name", "web01", "--image", image}).out);
  ASSERT_EQ(created.size(), 2U);
  EXPECT_EQ(missing_fields(created[0], of_points), "");
  EXPECT_EQ(missing_fields(summary_of(created), of_points), "");
  EXPECT_EQ(missing_fields(points().at(0), of_points), "");
  EXPECT_EQ(missing_fields(points().at(0), {"pinned", "host", "stored"}), "");
  const auto restored = json_lines(expect(0, {"restore", "--json", "web01@latest", "--to", file("back.raw")}).out);
  EXPECT_EQ(missing_fields(restored.at(0), {"to", "disk", "written_bytes", "zeroed_bytes", "kept_bytes", "verified"}),
            "");
  const auto stats = json_lines(expect(0, {"stats", "--json"}).out);
  EXPECT_EQ(stats.at(0).value("name", ""), "web01");
  EXPECT_EQ(stats.at(0).value("unique_bytes", 0U), 1U << 20U);
  EXPECT_EQ(missing_fields(summary_of(stats), {"packs", "pack_bytes", "own_bytes"}), "");
  const auto failed = backup({"show", "--json", "web09@latest"});
  EXPECT_EQ(failed.code, 2);
  EXPECT_EQ(json_lines(failed.out).at(0).value("type", ""), "error");
  EXPECT_EQ(summary_of(json_lines(failed.out)).value("exit", 0), 2);
}

TEST_F(Backup, MetricsTellOfSuccessAndFailure) {
  const std::string image = make_image("disk.raw", 1000), metrics = file("web01.prom");
  const Words words{"create", "-q", "--name", "web01", "--image", image, "--metrics", metrics};
  expect(0, words);
  const std::string good = read(metrics);
  EXPECT_TRUE(contains(good, "muster_backup_last_status{name=\"web01\"} 0\n")) << good;
  EXPECT_TRUE(contains(good, "muster_backup_last_bytes_new{name=\"web01\"} 1000\n")) << good;
  const auto line = [](const std::string& text, const std::string& name) {
    const auto at = text.find("\n" + name + "{");
    return at == std::string::npos ? "" : text.substr(at + 1, text.find('\n', at + 1) - at - 1);
  };
  fs::remove(image);
  expect(2, words);
  EXPECT_TRUE(contains(read(metrics), "muster_backup_last_status{name=\"web01\"} 2\n")) << read(metrics);
  EXPECT_EQ(line(read(metrics), "muster_backup_last_success_timestamp_seconds"),
            line(good, "muster_backup_last_success_timestamp_seconds"));
  fs::rename(repository(), file("away"));
  expect(10, words);
  EXPECT_TRUE(contains(read(metrics), "muster_backup_last_status{name=\"web01\"} 10\n")) << read(metrics);
}

TEST_F(Backup, DamageIsFoundAndMended) {
  const std::string image = make_image("disk.raw", 1U << 20U);
  expect(0, {"create", "-q", "--name", "web01", "--image", image});
  std::string pack;
  for (const auto& entry : fs::recursive_directory_iterator(repository() + "/packs"))
    if (entry.is_regular_file() && entry.file_size() > 500'000) pack = entry.path();
  fs::permissions(pack, fs::perms(0600));
  overwrite(pack, 300'000, 16, 99);
  expect(0, {"check"});
  const auto found = expect(13, {"check", "--read-data"});
  EXPECT_TRUE(contains(found.err, "muster backup repair")) << told(found);
  EXPECT_TRUE(contains(found.err, "cannot be restored whole")) << told(found);
  EXPECT_EQ(found.out, "");
  expect(13, {"restore", "web01@latest", "--to", file("back.raw")});
  EXPECT_FALSE(fs::exists(file("back.raw")));
  const auto unsaid = backup({"repair"});
  EXPECT_EQ(unsaid.code, 5) << told(unsaid);
  backup({"repair", "--yes"});
  next_second();
  expect(0, {"create", "-q", "--name", "web01", "--image", image});
  expect(0, {"restore", "web01@latest", "--to", file("back.raw"), "--verify"});
  EXPECT_TRUE(same(image, file("back.raw")));
}

TEST_F(Backup, DamageIsMendedFromAnotherRepository) {
  const std::string image = make_image("disk.raw", 1U << 20U), other = file("other");
  expect(0, {"init", "-q", other});
  expect(0, {"create", "-q", "-R", other, "--name", "copy", "--image", image});
  expect(0, {"create", "-q", "--name", "web01", "--image", image});
  for (const auto& entry : fs::recursive_directory_iterator(repository() + "/packs"))
    if (entry.is_regular_file() && entry.file_size() > 500'000) overwrite(entry.path(), 300'000, 16, 99);
  expect(13, {"check", "--read-data", "-q"});
  const auto mended = expect(0, {"repair", "--yes", "--from", other});
  EXPECT_TRUE(contains(mended.out, "from the other repository")) << told(mended);
  expect(0, {"restore", "web01@latest", "--to", file("back.raw"), "--verify"});
  EXPECT_TRUE(same(image, file("back.raw")));
}

}  // namespace
}  // namespace muster::e2e
