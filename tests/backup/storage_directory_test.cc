// What only a directory storage has: modes, foreign files, temporaries of others.
#include "tests/backup/storage_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/unique_fd.h"
#include "tests/backup/storage_failure.h"

namespace muster::backup {
namespace {

using base::Code;
using Names = std::set<std::string>;

TEST_F(DirectoryStorageTest, IsForItsOwnerOnly) {
  DirectoryStorage storage(repository);
  put(storage, "packs/1", "x");
  struct stat seen {};
  for (const auto& [name, mode] : {std::pair{"", 0700U}, {"packs", 0700U}, {"tmp", 0700U}, {"packs/1", 0600U}}) {
    ASSERT_EQ(::stat(path(name).c_str(), &seen), 0);
    EXPECT_EQ(seen.st_mode & 07777U, mode) << name;
  }
}

TEST_F(DirectoryStorageTest, NeedsADirectory) {
  EXPECT_EQ(failure_of([&] { DirectoryStorage storage(directory.path("absent")); }).code, Code::not_found);
  write_file(directory.path("file"), "");
  EXPECT_EQ(failure_of([&] { DirectoryStorage storage(directory.path("file")); }).code, Code::not_found);
  EXPECT_EQ(failure_of([] { DirectoryStorage storage(""); }).code, Code::usage);
}

TEST_F(DirectoryStorageTest, IsMadeWhereNothingIs) {
  DirectoryStorage::create(repository + "/");
  EXPECT_EQ(failure_of([&] { DirectoryStorage::create(directory.path("no/place")); }).code, Code::not_found);
  write_file(directory.path("file"), "");
  EXPECT_EQ(failure_of([&] { DirectoryStorage::create(directory.path("file")); }).code, Code::refused);
  write_file(path("something"), "");
  EXPECT_EQ(failure_of([&] { DirectoryStorage::create(repository); }).code, Code::refused);
}

TEST_F(DirectoryStorageTest, AFreshlyMadeFileSystemIsEmpty) {
  std::filesystem::create_directory(path("lost+found"));
  DirectoryStorage::create(repository);
  DirectoryStorage storage(repository);
  EXPECT_EQ(list(storage), Names{});
}

TEST_F(DirectoryStorageTest, MayBeReachedThroughALink) {
  std::filesystem::create_directory_symlink(repository, directory.path("link"));
  DirectoryStorage storage(directory.path("link"));
  put(storage, "packs/1", "x");
  EXPECT_EQ(list(storage), Names{"packs/1"});
  EXPECT_TRUE(std::filesystem::exists(path("packs/1")));
}

TEST_F(DirectoryStorageTest, WhatIsNoObjectIsNotSeen) {
  DirectoryStorage storage(repository);
  put(storage, "packs/1", "x");
  for (const char* name : {"README", "packs/1.Bak", "packs/a b"}) write_file(path(name), "foreign");
  write_file(directory.path("outside"), "secret");
  std::filesystem::create_directories(path("Foreign/1"));
  std::filesystem::create_symlink(directory.path("outside"), path("packs/link"));
  std::filesystem::create_directory_symlink(directory.path(""), path("elsewhere"));
  ASSERT_EQ(::mkfifo(path("packs/pipe").c_str(), 0600), 0);
  EXPECT_EQ(list(storage), Names{"packs/1"});
  for (const char* prefix : {"elsewhere/", "elsewhere/repository/"})
    storage.list(ctx, prefix, [](const StoredObject& object) { ADD_FAILURE() << object.name; });
  for (const char* name : {"packs/link", "packs/pipe"}) {
    EXPECT_FALSE(storage.stat(ctx, name)) << name;
    EXPECT_EQ(failure_of([&] { get(storage, name); }).code, Code::not_found) << name;
    EXPECT_EQ(failure_of([&] { put(storage, name, "x"); }).code, Code::io) << name;
  }
  EXPECT_EQ(failure_of([&] { put(storage, "packs", "x"); }).code, Code::io);
  EXPECT_EQ(failure_of([&] { put(storage, "packs/1/2", "x"); }).code, Code::io);
}

TEST_F(DirectoryStorageTest, TheFirstPutDropsDeadTemporaries) {
  DirectoryStorage storage(repository);
  put(storage, "first", "x");
  write_file(path(kDead), "left", kOld);
  put(storage, "second", "x");
  EXPECT_TRUE(std::filesystem::exists(path(kDead))) << "one look is enough";
  DirectoryStorage next(repository);
  put(next, "third", "x");
  EXPECT_EQ(tree(repository), (Names{"first", "second", "third", "tmp"}));
}

TEST_F(DirectoryStorageTest, WhatMayBeAliveStays) {
  std::filesystem::create_directory(path("tmp"));
  const std::string young = "tmp/11111111111111111111111111111111", foreign = "tmp/notes";
  write_file(path(kDead), "locked", kOld);
  write_file(path(young), "young", std::chrono::minutes(50));
  write_file(path(foreign), "not ours", kOld);
  const base::UniqueFd writer(::open(path(kDead).c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_EQ(::flock(writer.get(), LOCK_EX | LOCK_NB), 0);
  DirectoryStorage storage(repository);
  put(storage, "o", "x");
  EXPECT_EQ(tree(repository), (Names{"o", "tmp", kDead, young, foreign}));
}

TEST_F(DirectoryStorageTest, TemporariesElsewhereStay) {
  std::filesystem::create_directory(directory.path("elsewhere"));
  std::filesystem::create_directory_symlink(directory.path("elsewhere"), path("tmp"));
  const std::string kept = directory.path("elsewhere/0123456789abcdef0123456789abcdef");
  write_file(kept, "not ours", kOld);
  DirectoryStorage storage(repository);
  put(storage, "o", "x");
  EXPECT_TRUE(std::filesystem::exists(kept));
}

TEST_F(DirectoryStorageTest, WhatIsNoFileIsNotOpened) {
  ASSERT_EQ(::mknod(path("socket").c_str(), S_IFSOCK | 0600, 0), 0);
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  std::filesystem::create_directory(path("directory"));
  for (const char* name : {"socket", "pipe", "directory", "absent"}) {
    EXPECT_FALSE(system_file_calls().open(path(name), FileCalls::Access::read)) << name;
    EXPECT_FALSE(system_file_calls().open(path(name), FileCalls::Access::write)) << name;
  }
}

TEST_F(DirectoryStorageTest, AVanishedDirectoryIsNoAbsence) {
  DirectoryStorage storage(repository);
  put(storage, "packs/1", "x");
  std::filesystem::remove_all(repository);
  EXPECT_EQ(failure_of([&] { put(storage, "packs/2", "x"); }).code, Code::io);
}

}  // namespace
}  // namespace muster::backup
