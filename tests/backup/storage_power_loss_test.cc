// A directory storage whose machine goes off, or whose process is killed, at every call it makes: what was answered
// holds, and nobody ever sees half an object.
#include <array>
#include <optional>
#include <set>

#include <gtest/gtest.h>

#include "backup/directory_storage.h"
#include "tests/backup/storage_failure.h"
#include "tests/fakes/lossy_files.h"

namespace muster::backup {
namespace {

using base::Code;
using base::Error;
using fakes::FileCall;
using fakes::LossyFiles;
using fakes::PowerCut;

constexpr std::uint64_t kSeeds = 48;
constexpr const char* kRepository = "/srv/repository";
const std::string kText = std::string(700, 'a') + std::string(700, 'b') + std::string(301, 'c');

std::optional<std::string> get(Storage& storage, std::string_view name) {
  if (!storage.stat({}, name)) return std::nullopt;
  return std::string(base::as_text(get_all({}, storage, name, 1U << 20U)));
}

std::set<std::string> list(Storage& storage) {
  std::set<std::string> names;
  storage.list({}, "", [&](const StoredObject& object) { names.insert(object.name); });
  return names;
}

Put put_in_pieces(Storage& storage, std::string_view name, const base::Context& ctx = {}) {
  const auto bytes = base::as_bytes(kText);
  const std::array pieces = {bytes.first(700), bytes.subspan(700, 700), bytes.subspan(1400)};
  return storage.put_new(ctx, name, pieces);
}

std::unique_ptr<LossyFiles> machine_with_storage() {
  LossyFiles files;
  files.make_directory("/srv");
  files.sync_directory("/");
  DirectoryStorage::create(kRepository, files);
  DirectoryStorage storage(kRepository, files);
  put_new({}, storage, "packs/aa/old", base::as_bytes("old"));
  return files.after_power_loss(0);
}

// False: it was cut off.
bool runs_to_its_end(const std::function<void()>& body) {
  try {
    body();
    return true;
  } catch (const PowerCut&) {
    return false;
  }
}

// Runs `body` on a machine that goes off at its 1st, 2nd, ... call until it comes to its end without, and then once
// more, goes off afterwards. `look` gets what is found then, and whether the body had come to its end.
void at_every_cut(const std::function<void(LossyFiles&)>& body,
                  const std::function<void(LossyFiles& found, bool done)>& look) {
  bool done = false;
  for (std::size_t cut = 1; !done; ++cut) {
    const auto files = machine_with_storage();
    files->cut_at(cut);
    done = runs_to_its_end([&] { body(*files); });
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      SCOPED_TRACE("call " + std::to_string(cut) + ", seed " + std::to_string(seed));
      look(*files->after_power_loss(seed), done);
    }
    SCOPED_TRACE("killed at call " + std::to_string(cut));
    look(*files->after_kill(), done);
    ASSERT_LT(cut, 200U);
  }
}

void expect_nothing_else(const LossyFiles& files, const std::set<std::string>& objects) {
  const std::string root = std::string(kRepository) + '/';
  for (const auto& path : files.paths())
    EXPECT_TRUE(path.starts_with(root + "tmp/") || objects.contains(path.substr(root.size()))) << path;
}

void expect_old_and(LossyFiles& files, const std::string& name, bool is_there) {
  DirectoryStorage storage(kRepository, files);
  const std::set<std::string> objects =
      is_there ? std::set<std::string>{"packs/aa/old", name} : std::set<std::string>{"packs/aa/old"};
  EXPECT_EQ(list(storage), objects);
  EXPECT_EQ(get(storage, "packs/aa/old"), "old");
  EXPECT_EQ(get(storage, name), is_there ? std::optional(kText) : std::nullopt);
  expect_nothing_else(files, objects);
}

void put_survives(const std::string& name) {
  std::size_t absent = 0, early = 0;
  at_every_cut(
      [&](LossyFiles& files) {
        DirectoryStorage storage(kRepository, files);
        EXPECT_EQ(put_in_pieces(storage, name), Put::created);
      },
      [&](LossyFiles& found, bool done) {
        DirectoryStorage storage(kRepository, found);
        const bool is_there = storage.stat({}, name).has_value();
        EXPECT_TRUE(is_there || !done);
        expect_old_and(found, name, is_there);
        EXPECT_EQ(put_in_pieces(storage, name), is_there ? Put::existed : Put::created);
        expect_old_and(found, name, true);
        absent += is_there ? 0 : 1;
        early += is_there && !done ? 1 : 0;
      });
  EXPECT_GT(absent, kSeeds);
  EXPECT_GT(early, 0U);
}

TEST(PowerLoss, APutIsWholeOrAbsentAndStaysOnceItReturned) { put_survives("packs/aa/new"); }
TEST(PowerLoss, APutInNewDirectoriesIsWholeOrAbsentAndStays) { put_survives("index/bb/cc/new"); }
TEST(PowerLoss, APutAtTheTopIsWholeOrAbsentAndStays) { put_survives("config"); }

TEST(PowerLoss, ARemovedObjectStaysAway) {
  std::size_t back = 0;
  at_every_cut(
      [](LossyFiles& files) {
        DirectoryStorage storage(kRepository, files);
        EXPECT_TRUE(storage.remove({}, "packs/aa/old"));
      },
      [&](LossyFiles& found, bool done) {
        DirectoryStorage storage(kRepository, found);
        const auto object = get(storage, "packs/aa/old");
        EXPECT_TRUE(!object || !done);
        EXPECT_EQ(object.value_or("old"), "old");
        EXPECT_EQ(list(storage).size(), object ? 1U : 0U);
        expect_nothing_else(found, {"packs/aa/old"});
        back += object ? 1 : 0;
      });
  EXPECT_GT(back, 0U);
}

TEST(PowerLoss, ACreatedStorageStays) {
  bool done = false;
  for (std::size_t cut = 1; !done; ++cut) {
    LossyFiles files;
    files.cut_at(cut);
    done = runs_to_its_end([&] { DirectoryStorage::create("/repository", files); });
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      const auto found = files.after_power_loss(seed);
      EXPECT_TRUE(!done || found->stat("/repository"));
      EXPECT_NO_THROW(DirectoryStorage::create("/repository", *found));
    }
  }
}

// The calls of that kind from now on fail, the machine goes on.
void break_calls(LossyFiles& files, FileCall::Kind kind, Code code) {
  files.before_each([=](const FileCall& call) {
    if (call.kind == kind) throw Error(code, "a test breaks " + call.path);
  });
}

TEST(PowerLoss, WhatExistedStays) {
  const auto files = machine_with_storage();
  DirectoryStorage first(kRepository, *files), second(kRepository, *files);
  // As one that was killed before it could sync the directories it made, or the one of its object.
  files->make_directory(std::string(kRepository) + "/index");
  files->make_directory(std::string(kRepository) + "/index/bb");
  put_in_pieces(first, "index/cc/early");
  break_calls(*files, FileCall::Kind::sync_directory, Code::io);
  EXPECT_EQ(code_of([&] { put_in_pieces(first, "index/cc/new"); }), Code::io);
  files->before_each(nullptr);
  EXPECT_EQ(put_in_pieces(second, "index/cc/new"), Put::existed);
  EXPECT_EQ(put_in_pieces(second, "index/bb/new"), Put::created);
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const auto found = files->after_power_loss(seed);
    DirectoryStorage storage(kRepository, *found);
    EXPECT_EQ(get(storage, "index/cc/new"), kText) << seed;
    EXPECT_EQ(get(storage, "index/bb/new"), kText) << seed;
  }
}

TEST(PowerLoss, WhatSomebodyElseRemovedStaysAway) {
  const auto files = machine_with_storage();
  DirectoryStorage storage(kRepository, *files);
  break_calls(*files, FileCall::Kind::sync_directory, Code::io);
  EXPECT_EQ(code_of([&] { storage.remove({}, "packs/aa/old"); }), Code::io);
  files->before_each(nullptr);
  EXPECT_FALSE(storage.remove({}, "packs/aa/old"));
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const auto found = files->after_power_loss(seed);
    DirectoryStorage after(kRepository, *found);
    EXPECT_FALSE(after.stat({}, "packs/aa/old")) << seed;
  }
}

// Fails each kind of call that a put makes: the error arrives, and what was begun is tidied away.
TEST(PowerLoss, AFailingCallFailsThePut) {
  using Kind = FileCall::Kind;
  for (const Kind kind : {Kind::create, Kind::write, Kind::sync, Kind::mkdir, Kind::rename, Kind::sync_directory})
    for (const Code code : {Code::io, Code::no_space}) {
      const auto files = machine_with_storage();
      DirectoryStorage storage(kRepository, *files);
      break_calls(*files, kind, code);
      EXPECT_EQ(code_of([&] { put_in_pieces(storage, "index/bb/new"); }), code);
      files->before_each(nullptr);
      expect_old_and(*files, "index/bb/new", false);
      EXPECT_EQ(files->paths().size(), 1U) << "a temporary was left";
    }
}

TEST(PowerLoss, AStopMeanwhileIsHeard) {
  const auto files = machine_with_storage();
  DirectoryStorage storage(kRepository, *files);
  for (const auto kind : {FileCall::Kind::lock, FileCall::Kind::write}) {
    const auto stop = std::make_unique<std::stop_source>();
    std::size_t writes = 0;
    files->before_each([&](const FileCall& call) {
      writes += call.kind == FileCall::Kind::write ? 1 : 0;
      if (call.kind == kind) stop->request_stop();
    });
    base::Context ctx;
    ctx.stop = stop->get_token();
    EXPECT_EQ(code_of([&] { put_in_pieces(storage, "packs/aa/new", ctx); }), Code::cancelled);
    EXPECT_EQ(writes, kind == FileCall::Kind::write ? 1U : 0U);
    files->before_each(nullptr);
    expect_old_and(*files, "packs/aa/new", false);
    EXPECT_EQ(files->paths().size(), 1U);
  }
}

TEST(PowerLoss, AnUnsyncedNameIsReportedAlthoughItIsThere) {
  const auto files = machine_with_storage();
  DirectoryStorage storage(kRepository, *files);
  break_calls(*files, FileCall::Kind::sync_directory, Code::io);
  EXPECT_EQ(code_of([&] { put_in_pieces(storage, "config"); }), Code::io);
  expect_old_and(*files, "config", true);
}

TEST(PowerLoss, AFullDiskLeavesWhatWasThere) {
  const auto files = machine_with_storage();
  files->limit_size(1000);
  DirectoryStorage storage(kRepository, *files);
  EXPECT_EQ(code_of([&] { put_in_pieces(storage, "packs/aa/new"); }), Code::no_space);
  EXPECT_EQ(files->paths().size(), 1U);
  expect_old_and(*files, "packs/aa/new", false);
}

TEST(PowerLoss, WhatIsUnfinishedIsLockedAndUnderTmp) {
  const auto files = machine_with_storage();
  DirectoryStorage storage(kRepository, *files);
  std::size_t looks = 0;
  files->before_each([&](const FileCall& call) {
    if (call.kind != FileCall::Kind::write && call.kind != FileCall::Kind::rename) return;
    const std::string path = files->paths().back();
    EXPECT_TRUE(path.starts_with(std::string(kRepository) + "/tmp/")) << path;
    EXPECT_FALSE(files->open(path, FileCalls::Access::write)->try_lock());
    ++looks;
  });
  put_in_pieces(storage, "packs/aa/new");
  EXPECT_EQ(looks, 4U);
}

TEST(PowerLoss, DeadTemporariesAreOldByTheStoresClock) {
  const auto files = machine_with_storage();
  constexpr std::chrono::sys_seconds kThen{std::chrono::sys_days(std::chrono::year(1999) / 12 / 31)};
  files->set_time(kThen);
  files->cut_at(8);
  DirectoryStorage killed(kRepository, *files);
  EXPECT_FALSE(runs_to_its_end([&] { put_in_pieces(killed, "packs/aa/new"); }));
  const auto found = files->after_kill();
  ASSERT_EQ(found->paths().size(), 2U);
  found->set_time(kThen + std::chrono::minutes(59));
  DirectoryStorage soon(kRepository, *found);
  put_in_pieces(soon, "packs/aa/1");
  EXPECT_EQ(found->paths().size(), 3U);
  found->set_time(kThen + std::chrono::minutes(61));
  DirectoryStorage later(kRepository, *found);
  put_in_pieces(later, "packs/aa/2");
  EXPECT_EQ(found->paths().size(), 3U);
}

}  // namespace
}  // namespace muster::backup
