// Restore points of areas: their format, what is made of a real directory, and that whoever walks a repository knows
// what they need.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "backup/area_builder.h"
#include "backup/index.h"
#include "backup/lease.h"
#include "backup/local_host.h"
#include "backup/prune.h"
#include "backup/settle.h"
#include "backup/statistics.h"
#include "tests/backup/support.h"
#include "tests/backup/test_directory.h"

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

// --- what the machine prints

std::string scanned(const std::string& lines) {
  std::string text;
  bool given = false;
  ScanReader reader([&]() -> base::ByteView {
    if (std::exchange(given, true)) return {};
    return base::as_bytes(lines);
  });
  reader.began();
  while (const auto file = reader.next()) text += file->path + ";";
  return text + std::to_string(reader.too_long());
}

const std::string kTwoZeroes(2, '\0'), kEnd = kTwoZeroes + "~0\n";

std::string scan_line(std::string path, const std::string& facts = "f 1 2.5 3.5 4 5 1") {
  for (char& c : path) c = c == '/' ? '\0' : c == '\n' ? '/' : c;
  return path + kTwoZeroes + facts + "\n";
}

TEST(AreaScan, PathsAreReadAsTheyAre) {
  const std::string begin = "1\n" + scan_line("", "d 1 2 3 4 5 6") + kEnd;
  EXPECT_EQ(scanned(begin + scan_line("a") + scan_line("a/b\nc") + scan_line("a b")), ";a;a/b\nc;a b;0");
  EXPECT_EQ(scanned(begin + scan_line(std::string(40'000, 'a')) + scan_line(std::string(33'000, 'b')) + scan_line("c")),
            ";c;2");
}

TEST(AreaScan, WhatIsCutShortOrOutOfOrderIsAnError) {
  const std::string root = "1\n" + scan_line(""), begin = root + kEnd;
  EXPECT_THROW(scanned(root + scan_line("a")), Error);
  EXPECT_THROW(scanned(begin + scan_line("a").substr(0, 10)), Error);
  EXPECT_THROW(scanned(begin + scan_line("b") + scan_line("a")), Error);
  EXPECT_THROW(scanned(begin + scan_line("a") + scan_line("a")), Error);
  EXPECT_THROW(scanned("1\n" + kEnd + scan_line("a")), Error);
  EXPECT_THROW(scanned(begin + scan_line("../a")), Error);
  EXPECT_THROW(scanned(begin + scan_line("a", "f x 2 3 4 5 1")), Error);
  EXPECT_THROW(scanned("bash: no such command\n"), Error);
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
  auto made = items(60'000);
  build(made);
  const std::uint64_t whole = stored_;
  build(made);
  EXPECT_EQ(stored_, 0U);
  made[17'777].entry.size_bytes = 1;
  made.erase(made.begin() + 45'000);
  build(made);
  EXPECT_LT(stored_, whole / 5);  // two leaves, of a size that chance decides
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
  void write(const std::string& path, std::string_view bytes) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path, std::ios::binary) << bytes;
  }
  // What changed just now is not trusted to stay as it is.
  static void wait_until_old() {
    std::this_thread::sleep_until(std::chrono::steady_clock::now() + std::chrono::milliseconds(3100));
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
  const TestDirectory directory_;
  const fs::path root_ = directory_.path();
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
  wait_until_old();
  const auto first = back_up().point;
  write("a/one", "2");
  const auto second = back_up(first).point;
  EXPECT_EQ(second.bytes_read, 1U);
  EXPECT_EQ(second.bytes_dirty, 1U);
  EXPECT_EQ(paths_of(second), paths_of(first));
  wait_until_old();
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

// A host reads its parent's listing, and no data; maintenance has the keys of maps alone.
TEST_F(Area, WhoeverMakesOrLetsGoNeedsNoKeyOfData) {
  const auto owner = repository_->credential();
  const Credential host = host_credential(owner, kDefaultDomain);
  const Credential keeper = maintenance_credential(owner, 1);
  Host known{.id = host.signer(), .label = "host", .domain = host.home(), .names = {}, .revoked = {}};
  known.signing_key = ed25519_public_key(host.signing_seed);
  repository_->add_host({}, known);
  write("large", std::string(3'000'000, 'z'));
  write("small", "1");
  wait_until_old();
  repository_ = open_as(storage_, host);
  const auto first = back_up().point;
  write("small", "22");
  const auto second = back_up(first).point;
  EXPECT_EQ(second.bytes_read, 2U);
  repository_ = open_as(storage_, keeper);
  forget_points({}, *repository_, {first.id});
  for (int i = 0; i < 3; ++i) prune({}, *repository_, {.repack_percent = 1});
  repository_ = open_as(storage_, owner);
  expect_clean(*repository_);
}

TEST_F(Area, WhatAReaderHoldsStaysThoughItsPointIsForgotten) {
  write("a", std::string(100'000, 'a'));
  const auto point = back_up().point;
  const Lease lease({}, *repository_, {.kind = LeaseKind::reader, .contents = point.contents()});
  forget_points({}, *repository_, {point.id});
  prune({}, *repository_, {});
  const auto index = Index::load({}, *repository_);
  EXPECT_TRUE(relies_on_what_stays({}, *repository_, *index, point));
}

// What an older muster would prune, it must not get.
TEST_F(Area, ARepositoryOfAnOlderMusterTakesNone) {
  Config config = repository_->config();
  EXPECT_EQ(config.delete_features, std::vector<std::string>{kAreasFeature});
  EXPECT_NO_THROW(check_features(config, Use::remove));
  config.delete_features.clear();
  repository_ = std::make_unique<Repository>(storage_, config, repository_->credential());
  try {
    back_up();
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::unsupported);
  }
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
