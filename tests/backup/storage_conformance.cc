#include "tests/backup/storage_conformance.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <latch>
#include <limits>
#include <map>
#include <thread>
#include <vector>

#include "tests/backup/storage_failure.h"

namespace muster::backup {

using base::Code;
using Names = std::set<std::string>;

namespace {

constexpr std::uint64_t kLimitBytes = 64ULL << 20U;
constexpr std::chrono::seconds kPatience{10};

// Repeats itself, though at no power of two, so that no two pieces of an object are the same.
base::Bytes pattern(std::size_t size) {
  base::Bytes period(65'521);
  for (std::size_t i = 0; i < period.size(); ++i) period[i] = static_cast<std::byte>((i * 2654435761U) >> 16U);
  base::Bytes bytes(size);
  for (std::size_t at = 0; at < size; at += period.size())
    std::memcpy(bytes.data() + at, period.data(), std::min(period.size(), size - at));
  return bytes;
}

// memcmp() at once: with sanitizers, large objects take long byte by byte.
bool are_same(base::ByteView one, base::ByteView other) {
  return one.size() == other.size() && std::memcmp(one.data(), other.data(), one.size()) == 0;
}

}  // namespace

Put StorageConformance::put(std::string_view name, std::string_view text) {
  return put_new(ctx, storage(), name, base::as_bytes(text));
}

std::string StorageConformance::get(std::string_view name) {
  return std::string(base::as_text(get_all(ctx, storage(), name, kLimitBytes)));
}

std::string StorageConformance::get(std::string_view name, std::uint64_t offset, std::size_t size) {
  base::Bytes bytes(size);
  bytes.resize(storage().get_range(ctx, name, offset, bytes));
  return std::string(base::as_text(bytes));
}

Names StorageConformance::list(std::string_view prefix) {
  Names names;
  storage().list(ctx, prefix, [&](const StoredObject& object) {
    EXPECT_TRUE(names.insert(object.name).second) << object.name << " is listed twice";
  });
  return names;
}

Names StorageConformance::list_until(std::string_view prefix, const Names& expected) {
  const auto end = std::chrono::steady_clock::now() + storage().listing_lag() + kPatience;
  Names names = list(prefix);
  while (names != expected && storage().listing_lag().count() != 0 && std::chrono::steady_clock::now() < end)
    names = list(prefix);
  return names;
}

TEST_P(StorageConformance, AnObjectIsReadAsItWasPut) {
  EXPECT_EQ(put("config", "some text"), Put::created);
  EXPECT_EQ(get("config"), "some text");
  EXPECT_EQ(put("packs/aa/0123", "in a directory"), Put::created);
  EXPECT_EQ(get("packs/aa/0123"), "in a directory");
}

TEST_P(StorageConformance, PiecesAreOneObject) {
  const std::vector<base::ByteView> pieces = {base::as_bytes("one"), {}, base::as_bytes("two"), base::as_bytes("!")};
  EXPECT_EQ(storage().put_new(ctx, "pieces", pieces), Put::created);
  EXPECT_EQ(get("pieces"), "onetwo!");
}

TEST_P(StorageConformance, AnObjectMayBeEmpty) {
  EXPECT_EQ(put("empty", ""), Put::created);
  EXPECT_EQ(storage().put_new(ctx, "no-pieces", {}), Put::created);
  EXPECT_EQ(get("empty"), "");
  EXPECT_EQ(get("empty", 5, 10), "");
  EXPECT_EQ(storage().stat(ctx, "no-pieces").value().size_bytes, 0U);
  EXPECT_EQ(put("empty", "no longer"), Put::existed);
  EXPECT_EQ(list_until("", {"empty", "no-pieces"}), (Names{"empty", "no-pieces"}));
}

TEST_P(StorageConformance, RangesAreShortOnlyAtTheEnd) {
  put("o", "0123456789");
  EXPECT_EQ(get("o", 0, 4), "0123");
  EXPECT_EQ(get("o", 3, 4), "3456");
  EXPECT_EQ(get("o", 6, 4), "6789");
  EXPECT_EQ(get("o", 7, 100), "789");
  EXPECT_EQ(get("o", 9, 1), "9");
  EXPECT_EQ(get("o", 4, 0), "");
}

TEST_P(StorageConformance, NothingIsBeyondTheEnd) {
  put("o", "0123456789");
  EXPECT_EQ(get("o", 10, 4), "");
  EXPECT_EQ(get("o", 1ULL << 40U, 4), "");
  EXPECT_EQ(get("o", std::numeric_limits<std::int64_t>::max(), 4), "");
  EXPECT_EQ(get("o", std::numeric_limits<std::uint64_t>::max(), 4), "");
}

TEST_P(StorageConformance, LargeObjectsComeBackWholeAndInRanges) {
  const base::Bytes bytes = pattern(40U << 20U);
  std::vector<base::ByteView> pieces;
  constexpr std::size_t kPieceBytes = (7U << 20U) + 13;
  for (std::size_t at = 0; at < bytes.size(); at += kPieceBytes)
    pieces.push_back(base::ByteView(bytes).subspan(at, std::min(kPieceBytes, bytes.size() - at)));
  EXPECT_EQ(storage().put_new(ctx, "packs/large", pieces), Put::created);
  EXPECT_TRUE(are_same(get_all(ctx, storage(), "packs/large", kLimitBytes), bytes));
  base::Bytes range(1U << 20U);
  constexpr std::uint64_t kOffset = (14U << 20U) + 5;
  EXPECT_EQ(storage().get_range(ctx, "packs/large", kOffset, range), range.size());
  EXPECT_TRUE(are_same(range, base::ByteView(bytes).subspan(kOffset, range.size())));
  EXPECT_EQ(storage().stat(ctx, "packs/large").value().size_bytes, bytes.size());
}

TEST_P(StorageConformance, WhatIsLargerThanTheLimitIsNotRead) {
  const base::Bytes bytes = pattern(200'000);
  put_new(ctx, storage(), "o", bytes);
  put("small", "0123456789");
  EXPECT_TRUE(get_all(ctx, storage(), "o", bytes.size()) == bytes);
  EXPECT_EQ(code_of([&] { get_all(ctx, storage(), "o", bytes.size() - 1); }), Code::corrupt);
  EXPECT_EQ(code_of([&] { get_all(ctx, storage(), "small", 9); }), Code::corrupt);
}

TEST_P(StorageConformance, TheFirstPutStays) {
  EXPECT_EQ(put("o", "first"), Put::created);
  EXPECT_EQ(put("o", "second, longer"), Put::existed);
  EXPECT_EQ(put("o", ""), Put::existed);
  EXPECT_EQ(get("o"), "first");
}

TEST_P(StorageConformance, OneOfManyPutsAtOnceCreates) {
  constexpr std::size_t kWriters = 6;
  for (int round = 0; round < 5; ++round) {
    const std::string name = "index/" + std::to_string(round);
    std::vector<Put> results(kWriters, Put::existed);
    std::latch start(kWriters);
    {
      std::vector<std::jthread> writers;
      for (std::size_t w = 0; w < kWriters; ++w)
        writers.emplace_back([&, w] {
          start.arrive_and_wait();
          results[w] = put(name, "content of writer " + std::to_string(w));
        });
    }
    ASSERT_EQ(std::ranges::count(results, Put::created), 1);
    const auto winner = std::ranges::find(results, Put::created) - results.begin();
    EXPECT_EQ(get(name), "content of writer " + std::to_string(winner));
  }
}

TEST_P(StorageConformance, ARemovedObjectIsGone) {
  put("packs/1", "x");
  put("packs/2", "y");
  ASSERT_EQ(list_until("", {"packs/1", "packs/2"}), (Names{"packs/1", "packs/2"}));
  EXPECT_TRUE(storage().remove(ctx, "packs/1"));
  EXPECT_FALSE(storage().remove(ctx, "packs/1"));
  EXPECT_EQ(storage().stat(ctx, "packs/1"), std::nullopt);
  EXPECT_EQ(code_of([&] { get("packs/1"); }), Code::not_found);
  EXPECT_EQ(list_until("", {"packs/2"}), Names{"packs/2"});
  EXPECT_EQ(put("packs/1", "again"), Put::created);
  EXPECT_EQ(get("packs/1"), "again");
}

TEST_P(StorageConformance, ManyMayRemoveAtOnce) {
  put("o", "x");
  std::atomic<int> removed = 0;
  {
    std::vector<std::jthread> removers;
    for (int i = 0; i < 4; ++i) removers.emplace_back([&] { removed += storage().remove(ctx, "o") ? 1 : 0; });
  }
  EXPECT_GE(removed, 1);
  EXPECT_EQ(storage().stat(ctx, "o"), std::nullopt);
}

TEST_P(StorageConformance, TimesAreInTheOrderOfPuts) {
  put("first", "x");
  put("second", "x");
  EXPECT_LE(storage().stat(ctx, "first").value().stored, storage().stat(ctx, "second").value().stored);
}

TEST_P(StorageConformance, WhatIsAbsentIsNotFound) {
  put("packs/1", "x");
  for (const char* name : {"absent", "packs", "packs/2", "no/such/place"}) {
    EXPECT_EQ(storage().stat(ctx, name), std::nullopt) << name;
    EXPECT_EQ(code_of([&] { get(name); }), Code::not_found) << name;
    EXPECT_EQ(code_of([&] { get(name, 0, 0); }), Code::not_found) << name;
    EXPECT_FALSE(storage().remove(ctx, name)) << name;
  }
  EXPECT_EQ(get("packs/1"), "x");
}

TEST_P(StorageConformance, ObjectsOutliveWhoPutThem) {
  put("config", "c");
  put("packs/aa/1", "p");
  put("packs/aa/2", "q");
  storage().remove(ctx, "packs/aa/2");
  place_->reopen();
  EXPECT_EQ(get("config"), "c");
  EXPECT_EQ(get("packs/aa/1"), "p");
  EXPECT_EQ(list_until("", {"config", "packs/aa/1"}), (Names{"config", "packs/aa/1"}));
  EXPECT_EQ(put("config", "other"), Put::existed);
}

TEST_P(StorageConformance, AStopIsHeardBeforeAnythingIsDone) {
  stop_.request_stop();
  EXPECT_EQ(code_of([&] { put("o", "x"); }), Code::cancelled);
  EXPECT_EQ(storage().stat({}, "o"), std::nullopt);
}

TEST_P(StorageConformance, MessagesNameTheStorage) { EXPECT_NE(storage().where(), ""); }

}  // namespace muster::backup
