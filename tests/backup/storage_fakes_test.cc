// The fakes do to storages what their headers say: a test of durability over a disk that loses nothing is worth
// nothing.
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/fakes/fault_storage.h"
#include "tests/fakes/lossy_files.h"
#include "tests/fakes/memory_storage.h"

namespace muster::fakes {
namespace {

using backup::Put;
using backup::StoredObject;
using base::Code;
using base::Error;
using std::chrono::seconds;

std::set<std::string> list(backup::Storage& storage) {
  std::set<std::string> names;
  storage.list({}, "", [&](const StoredObject& object) { names.insert(object.name); });
  return names;
}

Put put(backup::Storage& storage, std::string_view name, std::string_view text) {
  return backup::put_new({}, storage, name, base::as_bytes(text));
}

std::string get(backup::Storage& storage, std::string_view name) {
  return std::string(base::as_text(backup::get_all({}, storage, name, 1000)));
}

TEST(MemoryStorage, HasItsOwnClock) {
  MemoryStorage storage;
  put(storage, "a", "x");
  storage.advance(seconds(90));
  put(storage, "b", "x");
  EXPECT_EQ(storage.stat({}, "b")->stored - storage.stat({}, "a")->stored, seconds(90));
  EXPECT_EQ(storage.stat({}, "b")->stored, storage.time());
}

TEST(MemoryStorage, ListsLagByOperations) {
  MemoryStorage storage;
  storage.delay_lists({.operations = 2});
  put(storage, "a", "x");
  EXPECT_EQ(get(storage, "a"), "x");
  EXPECT_TRUE(list(storage).empty());
  EXPECT_EQ(list(storage), std::set<std::string>{"a"});
  storage.remove({}, "a");
  EXPECT_FALSE(storage.stat({}, "a"));
  EXPECT_EQ(list(storage), std::set<std::string>{"a"});
  EXPECT_TRUE(list(storage).empty());
}

TEST(MemoryStorage, ListsLagByTime) {
  MemoryStorage storage;
  storage.delay_lists({.time = seconds(5)});
  put(storage, "a", "x");
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(list(storage).empty());
  storage.advance(seconds(5));
  EXPECT_EQ(storage.listing_lag(), seconds(5));
  EXPECT_EQ(list(storage), std::set<std::string>{"a"});
}

struct Faults : testing::Test {
  MemoryStorage memory;
  FaultStorage storage{memory};
};

TEST_F(Faults, AKilledProcessDoesNothingMore) {
  storage.kill_at(2);
  put(storage, "a", "x");
  EXPECT_THROW(put(storage, "b", "x"), Killed);
  EXPECT_THROW(storage.remove({}, "a"), Killed);
  EXPECT_EQ(list(memory), std::set<std::string>{"a"});
  ASSERT_EQ(storage.operations().size(), 1U);
  EXPECT_EQ(to_string(storage.operations()[0]), "1 put_new a");
}

TEST_F(Faults, OneOperationFailsWithoutEffect) {
  storage.fail_at(1, Code::no_space);
  try {
    put(storage, "a", "x");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::no_space);
  }
  EXPECT_EQ(put(storage, "a", "x"), Put::created);
}

TEST_F(Faults, ALostReplyIsOfSomethingDone) {
  storage.lose_reply_at(1);
  EXPECT_THROW(put(storage, "a", "x"), Error);
  EXPECT_EQ(put(storage, "a", "x"), Put::existed);
}

TEST_F(Faults, CallbacksSurroundEachOperation) {
  std::vector<std::string> seen;
  storage.before_each([&](const Operation& o) { seen.push_back("before " + to_string(o)); });
  storage.after_each([&](const Operation& o) {
    seen.push_back("after " + to_string(o));
    if (o.kind == Operation::Kind::remove) throw Error(Code::io, "lost");
  });
  put(storage, "a", "x");
  EXPECT_THROW(storage.remove({}, "a"), Error);
  EXPECT_EQ(seen, (std::vector<std::string>{"before 1 put_new a", "after 1 put_new a", "before 2 remove a",
                                            "after 2 remove a"}));
  EXPECT_TRUE(list(memory).empty());
}

TEST_F(Faults, ABitIsTurnedOverInAnyRange) {
  put(storage, "a", "0000");
  storage.flip_bit("a", 16);
  EXPECT_EQ(get(storage, "a"), "0010");
  base::Bytes bytes(2);
  storage.get_range({}, "a", 2, bytes);
  EXPECT_EQ(base::as_text(bytes), "10");
  storage.get_range({}, "a", 0, bytes);
  EXPECT_EQ(base::as_text(bytes), "00");
  EXPECT_EQ(get(memory, "a"), "0000");
}

TEST_F(Faults, ATornObjectIsShortEverywhere) {
  put(storage, "a", "0123456789");
  storage.tear("a", 4);
  EXPECT_EQ(get(storage, "a"), "0123");
  base::Bytes bytes(10);
  EXPECT_EQ(storage.get_range({}, "a", 3, bytes), 1U);
  EXPECT_EQ(storage.get_range({}, "a", 4, bytes), 0U);
  EXPECT_EQ(storage.get_range({}, "a", 7, bytes), 0U);
  EXPECT_EQ(storage.stat({}, "a")->size_bytes, 4U);
  storage.list({}, "", [](const StoredObject& object) { EXPECT_EQ(object.size_bytes, 4U); });
}

// What a file reads as after each of many power losses; `-` where it is gone.
std::set<std::string> outcomes(const LossyFiles& files, const std::string& path) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto found = files.after_power_loss(seed);
    const auto file = found->open(path, backup::FileCalls::Access::read);
    base::Bytes bytes(file ? file->state().size_bytes : 0);
    if (file) file->read_at(0, bytes);
    std::string text(base::as_text(bytes));
    // A letter for each sector.
    for (std::size_t at = 0; at < text.size(); ++at) text.erase(at + 1, 511);
    for (auto& c : text) c = c == 0 ? '0' : c;
    seen.insert(file ? text : "-");
  }
  return seen;
}

struct Lossy : testing::Test {
  LossyFiles files;
  std::unique_ptr<backup::OpenFile> file = files.create("/f");
};

TEST_F(Lossy, UnsyncedBytesAreTornOrZeroes) {
  files.sync_directory("/");
  file->write(base::as_bytes(std::string(512, 'a') + std::string(512, 'b')));
  EXPECT_EQ(outcomes(files, "/f"), (std::set<std::string>{"", "a", "ab", "00", "a0", "0b"}));
  file->sync();
  EXPECT_EQ(outcomes(files, "/f"), std::set<std::string>{"ab"});
}

TEST_F(Lossy, AnUnsyncedNameIsThereOrNot) {
  file->write(base::as_bytes("a"));
  file->sync();
  EXPECT_EQ(outcomes(files, "/f"), (std::set<std::string>{"-", "a"}));
  files.sync_directory("/");
  EXPECT_EQ(outcomes(files, "/f"), std::set<std::string>{"a"});
  files.unlink("/f");
  EXPECT_EQ(outcomes(files, "/f"), (std::set<std::string>{"-", "a"}));
}

TEST_F(Lossy, TheEndsOfARenameAreKeptOrLostByThemselves) {
  files.sync_directory("/");
  files.make_directory("/d");
  files.sync_directory("/");
  EXPECT_TRUE(files.rename_new("/f", "/d/f"));
  std::set<std::size_t> names;
  for (std::uint64_t seed = 0; seed < 100; ++seed) names.insert(files.after_power_loss(seed)->paths().size());
  EXPECT_EQ(names, (std::set<std::size_t>{0, 1, 2}));
}

TEST_F(Lossy, WhatIsInAnUnsyncedDirectoryGoesWithIt) {
  files.make_directory("/d");
  files.create("/d/g")->sync();
  files.sync_directory("/d");
  EXPECT_EQ(outcomes(files, "/d/g"), (std::set<std::string>{"-", ""}));
}

TEST_F(Lossy, AKillLosesOnlyLocks) {
  file->write(base::as_bytes("a"));
  EXPECT_TRUE(file->try_lock());
  EXPECT_FALSE(files.open("/f", backup::FileCalls::Access::write)->try_lock());
  const auto found = files.after_kill();
  EXPECT_TRUE(found->open("/f", backup::FileCalls::Access::write)->try_lock());
  EXPECT_EQ(outcomes(*found, "/f"), (std::set<std::string>{"-", "", "a", "0"}));
}

TEST_F(Lossy, AfterAPowerCutNothingIsDone) {
  files.before_each([](const FileCall& call) {
    if (call.kind == FileCall::Kind::write) throw PowerCut();
  });
  EXPECT_THROW(file->write(base::as_bytes("a")), PowerCut);
  EXPECT_THROW(files.unlink("/f"), PowerCut);
  EXPECT_EQ(files.paths(), std::vector<std::string>{"/f"});
}

}  // namespace
}  // namespace muster::fakes
