// Restore points of areas: their format, what is made of a real directory, and that whoever walks a repository knows
// what they need.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "backup/area_builder.h"
#include "backup/index.h"
#include "backup/local_host.h"
#include "backup/prune.h"
#include "backup/settle.h"
#include "backup/statistics.h"
#include "tests/backup/support.h"

namespace muster::backup {
namespace {

using archive::EntryType;
using base::Code;
using base::Error;
namespace fs = std::filesystem;

// --- the format

AreaItem full_item() {
  AreaItem item{.entry = {.type = EntryType::file,
                          .path = "caf\351/new\nline",
                          .mode = 04755,
                          .uid = 4'000'000'000,
                          .gid = 5,
                          .user = "root",
                          .group = "adm",
                          .size_bytes = 1'000'005,
                          .modified = {.seconds = -7, .nanoseconds = 9},
                          .changed = archive::Timestamp{.seconds = 1'700'000'000, .nanoseconds = 1},
                          .xattrs = {{.name = "user.a", .value = {std::byte{0}, std::byte{255}}}}},
                .inode = 77};
  item.pieces = {{.length = 5, .chunk = ChunkId{}}, {.length = 1'000'000}};
  return item;
}

base::Bytes encoded(const AreaItem& item) {
  base::Bytes bytes;
  base::ByteWriter write(bytes);
  encode_item(write, item);
  return bytes;
}

AreaItem decoded(const base::Bytes& bytes) {
  base::ByteReader read(bytes, "item");
  AreaItem item = decode_item(read);
  read.expect_end();
  return item;
}

TEST(AreaItem, IsReadAsItWasWritten) {
  EXPECT_EQ(decoded(encoded(full_item())), full_item());
  AreaItem more{.entry = {.path = "a"}, .pieces = {{.length = 3}}, .continues = true};
  EXPECT_EQ(decoded(encoded(more)), more);
}

TEST(AreaItem, PathsThatLeadOutAreNone) {
  for (const char* path : {"/etc", "..", "a/../b", "a//b", "a/", "./a", "a/."}) {
    EXPECT_FALSE(is_area_path(path)) << path;
    AreaItem item{.entry = {.path = path}};
    EXPECT_THROW(decoded(encoded(item)), Error) << path;
    AreaItem link{.entry = {.type = EntryType::hard_link, .path = "x", .target = path}};
    EXPECT_THROW(decoded(encoded(link)), Error) << path;
  }
  EXPECT_TRUE(is_area_path("a/b.c/..d"));
}

TEST(AreaItem, DamageIsAnErrorAndNoMore) {
  std::mt19937 random(1);
  const base::Bytes whole = encoded(full_item());
  for (int i = 0; i < 20000; ++i) {
    base::Bytes bytes = whole;
    bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    try {
      decoded(bytes);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::corrupt);
    }
  }
}

TEST(AreaItem, ADirectoryComesBeforeWhatIsInIt) {
  const std::vector<std::string> sorted{"", "a", "a/b", "a/b/c", "a/c", "a b", "a-b", "a.b", "a\nb", "ab", "\351"};
  for (std::size_t i = 1; i < sorted.size(); ++i) EXPECT_TRUE(compare_paths(sorted[i - 1], sorted[i]) < 0) << sorted[i];
}

// --- trees

class AreaListing : public ::testing::Test {
 protected:
  AreaListing() : repository_(open_as(storage_, make_repository(*storage_))) {}

  static std::vector<AreaItem> items(unsigned count) {
    std::vector<AreaItem> made{{.entry = {.type = EntryType::directory}}};
    for (unsigned i = 0; i < count; ++i)
      made.push_back({.entry = {.path = fmt::format("dir{:03}", i / 1000)}, .inode = 1});
    for (unsigned i = 0; i < count; ++i) {
      made[i + 1].entry.path += fmt::format("-{:06}", i);
      made[i + 1].entry.size_bytes = i;
    }
    return made;
  }

  AreaTree build(const std::vector<AreaItem>& made) {
    const auto index = Index::load({}, *repository_);
    SessionWriter writer({}, *repository_, *index, {});
    RecordSealer sealer(writer.keys(), 1, 0);
    AreaBuilder builder(writer, sealer);
    for (const auto& item : made) builder.add(item);
    const AreaTree tree{.root = builder.finish()};
    writer.flush();
    stored_ = writer.written().plain_bytes;
    return tree;
  }

  std::shared_ptr<Storage> storage_ = std::make_shared<fakes::MemoryStorage>();
  std::unique_ptr<Repository> repository_;
  std::uint64_t stored_ = 0;
};

TEST_F(AreaListing, HasEveryItemInOrderAndFindsEachByItsPath) {
  const auto made = items(20'000);
  const AreaTree tree = build(made);
  const auto index = Index::load({}, *repository_);
  PackKeyCache keys(*repository_);
  ChunkReader chunks(*repository_, *index, keys);
  AreaCursor cursor(chunks, tree);
  for (const auto& item : made) EXPECT_EQ(cursor.next({}), item);
  EXPECT_EQ(cursor.next({}), std::nullopt);
  for (std::size_t i = 0; i < made.size(); i += 777)
    EXPECT_EQ(find_item({}, chunks, tree, made[i].entry.path), made[i]);
  EXPECT_EQ(find_item({}, chunks, tree, "dir003-0030005"), std::nullopt);
  EXPECT_EQ(find_item({}, chunks, tree, "zzz"), std::nullopt);
}

TEST_F(AreaListing, ALittleChangeCostsLittle) {
  auto made = items(20'000);
  build(made);
  const std::uint64_t whole = stored_;
  build(made);
  EXPECT_EQ(stored_, 0U);
  made[7777].entry.size_bytes = 1;
  made.erase(made.begin() + 15'000);
  build(made);
  EXPECT_LT(stored_, whole / 10);
}

TEST_F(AreaListing, PiecesOfALargeFileStandInSeveralItems) {
  std::vector<AreaItem> made = items(10);
  AreaItem large{.entry = {.path = "large", .size_bytes = 3'000'000}};
  made.push_back(large);
  for (unsigned i = 0; i < 3000; ++i) {
    ChunkId id;
    id.bytes[0] = static_cast<std::byte>(i);
    id.bytes[1] = static_cast<std::byte>(i >> 8);
    const Piece piece{.length = 1000, .chunk = id};
    large.pieces.push_back(piece);
    made.push_back({.entry = {.path = "large"}, .pieces = {piece}, .continues = true});
  }
  made.push_back({.entry = {.path = "last"}});
  const AreaTree tree = build(made);
  const auto index = Index::load({}, *repository_);
  PackKeyCache keys(*repository_);
  ChunkReader chunks(*repository_, *index, keys);
  EXPECT_EQ(find_item({}, chunks, tree, "large"), large);
  EXPECT_EQ(find_item({}, chunks, tree, "last"), made.back());
}

// --- of a real directory

class Area : public AreaListing {
 protected:
  Area() {
    std::string pattern = (fs::temp_directory_path() / "area-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
  }
  ~Area() override { fs::remove_all(root_); }

  void write(const std::string& path, std::string_view bytes) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path, std::ios::binary) << bytes;
  }
  // Long ago, as far as the area knows: what changed just now is not trusted to stay as it is.
  void age() const {
    const auto began = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - began < std::chrono::milliseconds(3100))
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }

  CreateResult back_up(const std::optional<RestorePoint>& parent = std::nullopt, AreaOrder order = {}) {
    order.path = root_.string();
    CreateRequest request{.name = "area", .tool = "test", .consistency = "files"};
    request.area = AreaSource{.host = &host_, .host_name = "", .order = order, .spill_directory = "/tmp"};
    request.parent = parent;
    request.options.workers = 2;
    Progress progress;
    return create_restore_point({}, *repository_, request, progress);
  }

  std::vector<AreaItem> items_of(const RestorePoint& point) const {
    const auto index = Index::load({}, *repository_);
    PackKeyCache keys(*repository_);
    ChunkReader chunks(*repository_, *index, keys);
    AreaCursor cursor(chunks, point.area->tree);
    std::vector<AreaItem> found;
    while (auto item = cursor.next({})) found.push_back(*item);
    return found;
  }

  std::vector<std::string> paths_of(const RestorePoint& point) const {
    std::vector<std::string> paths;
    for (const auto& item : items_of(point)) paths.push_back(item.entry.path);
    return paths;
  }

  LocalHost host_{std::chrono::seconds(60)};
  fs::path root_;
};

TEST_F(Area, HoldsWhatIsThere) {
  write("a/one", "1");
  write("a/two", std::string(3'000'000, 'x'));
  write("-dash\n", "3");
  fs::create_symlink("nowhere", root_ / "link");
  const auto point = back_up().point;
  EXPECT_EQ(paths_of(point), (std::vector<std::string>{"", "-dash\n", "a", "a/one", "a/two", "link"}));
  EXPECT_EQ(point.area->entries, 6U);
  EXPECT_EQ(point.area->size_bytes, 3'000'002U);
  EXPECT_EQ(point.bytes_read, 3'000'002U);
  expect_clean(*repository_);
}

TEST_F(Area, WhatDidNotChangeIsNotSentAgain) {
  write("a/one", "1");
  write("b", std::string(2'000'000, 'y'));
  fs::create_hard_link(root_ / "b", root_ / "c");
  age();
  const auto first = back_up().point;
  write("a/one", "2");
  const auto second = back_up(first).point;
  EXPECT_EQ(second.bytes_read, 1U);
  EXPECT_EQ(second.bytes_dirty, 1U);
  EXPECT_EQ(paths_of(second), paths_of(first));
  age();
  const auto third = back_up(second).point;
  const auto fourth = back_up(third).point;
  EXPECT_EQ(fourth.bytes_read, 0U);
  EXPECT_EQ(fourth.area->tree.root, third.area->tree.root);
  const auto items = items_of(fourth);
  ASSERT_EQ(items.size(), 5U);
  EXPECT_EQ(items[4].entry.type, EntryType::hard_link);
  EXPECT_EQ(items[4].entry.target, "b");
  expect_clean(*repository_);
}

TEST_F(Area, WhatChangedJustBeforeIsSentAgain) {
  write("a", "1");
  const auto first = back_up().point;
  EXPECT_EQ(back_up(first).point.bytes_read, 1U);
}

TEST_F(Area, ExcludesAreLeftOut) {
  for (const char* path : {"a.o", "b/a.o", "b/c", "cache/x", "b/cache/y", "b/tmp/z", "tmp/z"}) write(path, "1");
  const auto point = back_up({}, {.excludes = {"*.o", "/cache", "b/tmp"}}).point;
  EXPECT_EQ(paths_of(point), (std::vector<std::string>{"", "b", "b/c", "b/cache", "b/cache/y", "tmp", "tmp/z"}));
}

TEST_F(Area, ADirectoryThatIsNotThereIsAnError) {
  fs::remove(root_);
  try {
    back_up();
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::not_found);
    EXPECT_NE(std::string(e.what()).find(root_.string()), std::string::npos);
  }
}

// Whoever lets go has the keys of maps, and none of data.
TEST_F(Area, PruneKeepsWhatListingsName) {
  for (unsigned i = 0; i < 300; ++i) write(fmt::format("d/{}", i), fmt::format("file number {} of seed", i));
  write("large", std::string(3'000'000, 'z'));
  const auto first = back_up().point;
  write("large", std::string(3'000'000, 'w'));
  const auto second = back_up(first).point;
  forget_points({}, *repository_, {first.id});
  for (int i = 0; i < 3; ++i) {
    Progress progress;
    prune({}, *repository_, {.repack_percent = 1, .progress = &progress});
  }
  expect_clean(*repository_);
  const auto index = Index::load({}, *repository_);
  EXPECT_TRUE(relies_on_what_stays({}, *repository_, *index, second));
  EXPECT_EQ(paths_of(second).size(), 303U);
}

TEST_F(Area, StatisticsCountTheirBytes) {
  write("a", std::string(100'000, 'a'));
  write("b", std::string(100'000, 'a'));
  back_up();
  const auto index = Index::load({}, *repository_);
  const auto statistics = backup::statistics({}, *repository_, *index);
  EXPECT_EQ(statistics.total.named_bytes, 200'000U);
  EXPECT_EQ(statistics.total.unique_bytes, 100'000U);
}

}  // namespace
}  // namespace muster::backup
