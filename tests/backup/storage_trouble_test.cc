// A directory storage where the kernel refuses: other users, full and read-only file systems, calls that it lacks.
#include <cerrno>
#include <cstddef>
#include <optional>
#include <thread>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "tests/backup/storage_directory.h"
#include "tests/backup/storage_failure.h"

namespace muster::backup {
namespace {

using base::Code;
using Names = std::set<std::string>;

// What the kernel keeps for each thread (a user for files, mounts, a filter of calls) ends with it.
void in_own_thread(const std::function<void()>& body) {
  const std::jthread thread([&] {
    try {
      body();
    } catch (const std::exception& e) {
      ADD_FAILURE() << e.what();
    }
  });
}

// As a user who owns nothing here: root may write anywhere.
void as_unprivileged(const std::function<void()>& body) {
  in_own_thread([&] {
    if (::geteuid() == 0) ::setfsuid(65534);
    body();
  });
}

TEST_F(DirectoryStorageTest, ReadingNeedsNoPermissionToWrite) {
  DirectoryStorage storage(repository);
  put(storage, "packs/1", "x");
  for (const char* name : {"..", "", "packs"}) ASSERT_EQ(::chmod(path(name).c_str(), 0555), 0);
  ASSERT_EQ(::chmod(path("packs/1").c_str(), 0444), 0);
  as_unprivileged([&] {
    DirectoryStorage reader(repository);
    EXPECT_EQ(get(reader, "packs/1"), "x");
    EXPECT_EQ(list(reader), Names{"packs/1"});
    EXPECT_TRUE(reader.stat(ctx, "packs/1"));
    const auto put_failure = failure_of([&] { put(reader, "packs/2", "x"); });
    EXPECT_EQ(put_failure.code, Code::io);
    EXPECT_NE(put_failure.text.find(repository), std::string::npos) << put_failure.text;
    const auto removal = failure_of([&] { reader.remove(ctx, "packs/1"); });
    EXPECT_EQ(removal.code, Code::io);
    EXPECT_NE(removal.text.find(path("packs/1")), std::string::npos) << removal.text;
    EXPECT_FALSE(reader.remove(ctx, "packs/2"));
  });
  for (const char* name : {"..", "", "packs"}) ASSERT_EQ(::chmod(path(name).c_str(), 0700), 0);
}

TEST_F(DirectoryStorageTest, WhatMayNotBeReadIsNotAbsent) {
  DirectoryStorage storage(repository);
  put(storage, "packs/1", "x");
  ASSERT_EQ(::chmod(path("..").c_str(), 0755), 0);
  ASSERT_EQ(::chmod(path("").c_str(), 0755), 0);
  ASSERT_EQ(::chmod(path("packs").c_str(), 0), 0);
  as_unprivileged([&] {
    DirectoryStorage reader(repository);
    EXPECT_EQ(failure_of([&] { get(reader, "packs/1"); }).code, Code::io);
    EXPECT_EQ(failure_of([&] { list(reader); }).code, Code::io);
    EXPECT_EQ(failure_of([&] { reader.stat(ctx, "packs/1"); }).code, Code::io);
  });
  ASSERT_EQ(::chmod(path("packs").c_str(), 0700), 0);
}

// With a small file system of the test's own at `where`, which nobody else sees. Returns why there is none.
std::optional<std::string> with_mount(const std::string& where, const char* options,
                                      const std::function<void()>& body) {
  std::optional<std::string> why;
  in_own_thread([&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", where.c_str(), "tmpfs", 0, options) != 0)
      why = "may not mount: " + base::errno_text(errno);
    else
      body();
  });
  return why;
}

TEST_F(DirectoryStorageTest, AFullFileSystemIsNoSpace) {
  const auto why = with_mount(repository, "size=256k", [&] {
    DirectoryStorage storage(repository);
    put(storage, "packs/1", std::string(100'000, 'x'));
    const Names before = tree(repository);
    const auto failure = failure_of([&] { put(storage, "packs/2", std::string(400'000, 'y')); });
    EXPECT_EQ(failure.code, Code::no_space);
    EXPECT_NE(failure.text.find(path("tmp/")), std::string::npos) << failure.text;
    EXPECT_EQ(tree(repository), before);
    EXPECT_EQ(get(storage, "packs/1"), std::string(100'000, 'x'));
    EXPECT_EQ(put(storage, "packs/2", std::string(100'000, 'y')), Put::created);
  });
  if (why) GTEST_SKIP() << *why;
}

TEST_F(DirectoryStorageTest, AFileSystemWithoutInodesIsNoSpace) {
  const auto why = with_mount(repository, "nr_inodes=4", [&] {
    DirectoryStorage storage(repository);
    put(storage, "o", "x");
    const Names before = tree(repository);
    EXPECT_EQ(failure_of([&] { put(storage, "packs/2", "y"); }).code, Code::no_space);
    EXPECT_EQ(tree(repository), before);
  });
  if (why) GTEST_SKIP() << *why;
}

TEST_F(DirectoryStorageTest, DeadTemporariesMakeRoom) {
  const auto why = with_mount(repository, "size=256k", [&] {
    std::filesystem::create_directory(path("tmp"));
    write_file(path(kDead), std::string(200'000, 'x'), kOld);
    DirectoryStorage storage(repository);
    EXPECT_EQ(put(storage, "o", std::string(200'000, 'x')), Put::created);
  });
  if (why) GTEST_SKIP() << *why;
}

TEST_F(DirectoryStorageTest, AReadOnlyFileSystemIsNotFull) {
  const auto why = with_mount(repository, "size=256k", [&] {
    DirectoryStorage storage(repository);
    put(storage, "o", "x");
    ASSERT_EQ(::mount("tmpfs", repository.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr), 0);
    EXPECT_EQ(get(storage, "o"), "x");
    EXPECT_EQ(list(storage), Names{"o"});
    const auto failure = failure_of([&] { put(storage, "packs/2", "y"); });
    EXPECT_EQ(failure.code, Code::io);
    EXPECT_NE(failure.text.find(repository), std::string::npos) << failure.text;
    EXPECT_EQ(failure_of([&] { storage.remove(ctx, "o"); }).code, Code::io);
  });
  if (why) GTEST_SKIP() << *why;
}

// As NFS does with a rename that replaces nothing. False: filters of calls are not allowed here.
bool refuse_renameat2() {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{.len = std::size(filter), .filter = filter};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST_F(DirectoryStorageTest, LinksWhereRenamesReplace) {
  bool filtered = false;
  in_own_thread([&] {
    filtered = refuse_renameat2();
    if (!filtered) return;
    DirectoryStorage storage(repository);
    EXPECT_EQ(put(storage, "packs/1", "first"), Put::created);
    EXPECT_EQ(put(storage, "packs/1", "second"), Put::existed);
    EXPECT_EQ(get(storage, "packs/1"), "first");
    EXPECT_EQ(failure_of([&] { put(storage, "packs/1/2", "x"); }).code, Code::io);
  });
  if (!filtered) GTEST_SKIP() << "calls may not be filtered";
  EXPECT_EQ(tree(repository), (Names{"packs", "packs/1", "tmp"}));
  EXPECT_EQ(std::filesystem::hard_link_count(path("packs/1")), 1U);
}

TEST_F(DirectoryStorageTest, ALinkWhoseReplyWasLostIsOurs) {
  bool filtered = false;
  write_file(path("from"), "ours");
  std::filesystem::create_hard_link(path("from"), path("to"));
  in_own_thread([&] {
    filtered = refuse_renameat2();
    EXPECT_EQ(system_file_calls().rename_new(path("from"), path("to")), filtered);
  });
  if (!filtered) GTEST_SKIP() << "calls may not be filtered";
  EXPECT_EQ(tree(repository), Names{"to"});
}

}  // namespace
}  // namespace muster::backup
