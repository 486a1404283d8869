// Files inside of disks: found through partitions, directories and links, with whatever names guests give them, and a
// clear word for what cannot be read. The images are made by e2fsprogs, and are served by nbdkit.
#include "disk/guest_files.h"

#include <filesystem>
#include <fstream>
#include <set>

#include <sys/stat.h>

#include "disk/guest_image.h"
#include "disk/guest_volumes.h"
#include "tests/disk/guest_tree.h"

namespace muster::disk {
namespace {

using base::Code;
namespace fs = std::filesystem;

// Warnings, for tests that expect them.
class Messages : public base::EventSink {
 public:
  void message(base::Severity, const std::string& text) override { all += text + "\n"; }
  std::string all;
};

class GuestFiles : public GuestTreeTest {
 protected:
  // Serves it to the calls that follow.
  void serve(const std::string& image) {
    server_.reset();
    fs::remove(dir / "nbdkit.socket");
    server_.emplace(Server::nbdkit(dir, {"-r", "file", image}));
    disk_ = {.uri = server_->uri(), .name = "vda", .temporary_directory = dir / "tmp"};
  }
  std::vector<GuestEntry> list(const std::string& path) { return list_directory(ctx, disk_, path); }
  std::string read(const std::string& path) {
    std::string text;
    read_file(ctx, disk_, path, [&](base::ByteView piece) { text += base::as_text(piece); });
    return text;
  }
  GuestEntry entry(const std::string& path, const std::string& name) {
    for (const auto& found : list(path))
      if (found.name == name) return found;
    ADD_FAILURE() << "no " << name;
    return {};
  }
  GuestDisk disk_;

 private:
  std::optional<Server> server_;
};

TEST_F(GuestFiles, ListsWhatIsThereWithAllThatIsKnownOfIt) {
  MUSTER_NEEDS_GUEST_FILES();
  put("a file", "four");
  put("sub/inside", "");
  link("sub/inside", "short");
  link(std::string(100, 'x'), "long");
  ASSERT_EQ(::mkfifo(tree("pipe").c_str(), 0600), 0);
  ASSERT_EQ(::chmod(tree("a file").c_str(), 04750), 0);
  run_well({"touch", "-d", "@1234567890", tree("a file")});
  serve(make_ext("disk"));
  std::set<std::string> names;
  for (const auto& found : list("/")) names.insert(found.name);
  EXPECT_EQ(names, (std::set<std::string>{"a file", "etc", "long", "lost+found", "pipe", "short", "sub"}));
  const auto file = entry("/", "a file");
  EXPECT_EQ(file.type, GuestFileType::file);
  EXPECT_EQ(file.size_bytes, 4U);
  EXPECT_EQ(file.mode, 04750U);
  EXPECT_EQ(file.uid, ::geteuid());
  EXPECT_EQ(file.gid, ::getegid());
  EXPECT_EQ(file.modified.time_since_epoch().count(), 1'234'567'890);
  EXPECT_EQ(entry("/", "sub").type, GuestFileType::directory);
  EXPECT_EQ(entry("/", "pipe").type, GuestFileType::fifo);
  EXPECT_EQ(entry("/", "short").type, GuestFileType::link);
  EXPECT_EQ(entry("/", "short").target, "sub/inside");
  EXPECT_EQ(entry("/", "long").target, std::string(100, 'x'));
}

TEST_F(GuestFiles, AnyNameThatAGuestCanWriteIsListedAndRead) {
  MUSTER_NEEDS_GUEST_FILES();
  const std::vector<std::string> names{"two  spaces", "quo\"te",     "it's",       "new\nline",
                                       "back\\slash", "\xff\xfe",    "<12>",       "-R",
                                       "$HOME",       "debugfs: ls", "semi;colon", std::string(255, 'n')};
  for (const auto& name : names) put("odd/" + name, "bytes of " + name);
  serve(make_ext("disk"));
  auto sorted = names;
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::string> found;
  for (const auto& each : list("/odd")) found.push_back(each.name);
  EXPECT_EQ(found, sorted);
  for (const auto& name : names) EXPECT_EQ(read("/odd/" + name), "bytes of " + name);
}

TEST_F(GuestFiles, FilesComeWholeWithTheirHoles) {
  MUSTER_NEEDS_GUEST_FILES();
  make_sparse(tree("holes"), 40 * MiB + 7, {{3 * MiB, 100'000}, {40 * MiB, 7}});
  put("empty", "");
  serve(make_ext("disk"));
  EXPECT_EQ(read("/empty"), "");
  std::ifstream file(tree("holes"), std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(file), {}};
  EXPECT_TRUE(read("/holes") == whole);
}

TEST_F(GuestFiles, AllThreeTypesOfExtAreRead) {
  MUSTER_NEEDS_GUEST_FILES();
  put("etc/name", "web01");
  for (const std::string type : {"ext2", "ext3", "ext4"}) {
    serve(make_ext(type, type));
    EXPECT_EQ(read("/etc/name"), "web01") << type;
  }
}

TEST_F(GuestFiles, LinksAreFollowedInsideOfTheImage) {
  MUSTER_NEEDS_GUEST_FILES();
  put("etc/real", "the guest's");
  put("var/lib/data", "data");
  link("/etc/real", "absolute");
  link("../etc/real", "var/relative");
  link("var/lib", "directory");
  link("../../../../etc/real", "etc/above");
  link("absolute", "etc/wrong");
  serve(make_ext("disk"));
  EXPECT_EQ(read("/absolute"), "the guest's");
  EXPECT_EQ(read("/var/relative"), "the guest's");
  EXPECT_EQ(read("/directory/data"), "data");
  EXPECT_EQ(read("/directory/../../etc/real"), "the guest's");
  EXPECT_EQ(read("/etc/above"), "the guest's");
  EXPECT_EQ(read("//var/./lib//data"), "data");
  EXPECT_EQ(list("/directory").size(), 1U);
  EXPECT_EQ(list("/absolute").front().name, "real");
  expect_error(Code::not_found, "vda:/etc/wrong", [&] { read("/etc/wrong"); });
}

TEST_F(GuestFiles, FortyLinksAreFollowedAndNoMore) {
  MUSTER_NEEDS_GUEST_FILES();
  put("link0", "the end");
  for (int i = 1; i <= 41; ++i) link("link" + std::to_string(i - 1), "link" + std::to_string(i));
  link("itself", "itself");
  serve(make_ext("disk"));
  EXPECT_EQ(read("/link40"), "the end");
  expect_error(Code::usage, "too many links", [&] { read("/link41"); });
  expect_error(Code::usage, "too many links", [&] { read("/itself"); });
}

TEST_F(GuestFiles, WhatIsNotThereOrNoFileIsSaid) {
  MUSTER_NEEDS_GUEST_FILES();
  put("etc/file", "x");
  ASSERT_EQ(::mkfifo(tree("pipe").c_str(), 0600), 0);
  serve(make_ext("disk"));
  expect_error(Code::not_found, "vda:/etc/none: no such file or directory", [&] { read("/etc/none"); });
  expect_error(Code::not_found, "no such file or directory", [&] { list("/none/at/all"); });
  expect_error(Code::not_found, "no such file or directory", [&] { read("/etc/file/below"); });
  expect_error(Code::usage, "vda:/etc: is a directory", [&] { read("/etc"); });
  expect_error(Code::usage, "is no regular file", [&] { read("/pipe"); });
  expect_error(Code::usage, "begins with a slash", [&] { read("etc/file"); });
  expect_error(Code::usage, "too long", [&] { list("/" + std::string(5000, 'x')); });
  expect_error(Code::usage, "NUL", [&] { read(std::string("/etc\0/file", 10)); });
}

TEST_F(GuestFiles, WhatTheSinkThrowsEndsTheRead) {
  MUSTER_NEEDS_GUEST_FILES();
  put("large", std::string(10 * MiB, 'x'));
  serve(make_ext("disk"));
  expect_error(Code::no_space, "full", [&] {
    read_file(ctx, disk_, "/large", [](base::ByteView) { throw base::Error(Code::no_space, "full"); });
  });
}

TEST_F(GuestFiles, AStopEndsIt) {
  MUSTER_NEEDS_GUEST_FILES();
  put("large", std::string(10 * MiB, 'x'));
  serve(make_ext("disk"));
  expect_error(Code::cancelled, "",
               [&] { read_file(ctx, disk_, "/large", [&](base::ByteView) { source.request_stop(); }); });
}

TEST_F(GuestFiles, OfSeveralPartitionsTheOneWithFstabIsMeant) {
  MUSTER_NEEDS_GUEST_FILES();
  put("where", "data");
  const std::string data = make_ext("data", "ext2", "60M");
  put("where", "root");
  put("etc/fstab", "");
  const std::string root = make_ext("root", "ext4", "40M");
  serve(make_disk("disk", {{"", 4}, {root, 40}, {data, 60}}));
  EXPECT_EQ(read("/where"), "root");
  disk_.partition = 3;
  EXPECT_EQ(read("/where"), "data");
  expect_error(Code::not_found, "vda.3:/etc/fstab", [&] { read("/etc/fstab"); });
  disk_.partition = 1;
  expect_error(Code::unsupported, "vda.1 (unknown, 4 MiB)", [&] { read("/where"); });
  disk_.partition = 7;
  expect_error(Code::usage, "vda.7: no such partition; there are vda.1 (unknown, 4 MiB), vda.2 (ext4, 40 MiB)",
               [&] { read("/where"); });
}

TEST_F(GuestFiles, WithoutFstabTheLargestIsMeantWhereThereIsOne) {
  MUSTER_NEEDS_GUEST_FILES();
  put("where", "small");
  const std::string small = make_ext("small", "ext4", "20M");
  put("where", "large");
  const std::string large = make_ext("large", "ext4", "40M");
  serve(make_disk("two", {{small, 20}, {large, 40}}));
  EXPECT_EQ(read("/where"), "large");
  serve(make_disk("equal", {{small, 40}, {large, 40}}));
  expect_error(Code::usage, "as vda.1: there are vda.1 (ext4, 40 MiB), vda.2 (ext4, 40 MiB)", [&] { read("/where"); });
}

TEST_F(GuestFiles, TwoSystemsOnOneDiskAreBothNamed) {
  MUSTER_NEEDS_GUEST_FILES();
  put("etc/fstab", "");
  const std::string root = make_ext("root", "ext4", "20M");
  serve(make_disk("disk", {{root, 20}, {root, 30}}));
  expect_error(Code::usage, "vda.2 (ext4, 30 MiB)", [&] { list("/"); });
}

TEST_F(GuestFiles, ADosTableWithLogicalPartitionsIsRead) {
  MUSTER_NEEDS_GUEST_FILES();
  put("where", "logical");
  const std::string inner = make_ext("inner", "ext4", "20M");
  make_sparse(dir / "disk", 32 * MiB, {});
  run_well({"sh", "-c", "printf 'label: dos\\nstart=2048,type=5\\nstart=4096,size=40960\\n' | sfdisk -q \"$1\"", "sh",
            dir / "disk"});
  run_well({"dd", "if=" + inner, "of=" + (dir / "disk"), "bs=1M", "seek=2", "conv=notrunc,sparse", "status=none"});
  serve(dir / "disk");
  EXPECT_EQ(read("/where"), "logical");
  disk_.partition = 5;
  EXPECT_EQ(read("/where"), "logical");
}

TEST_F(GuestFiles, ADiskWithoutFileSystemsIsSaidToBeOne) {
  MUSTER_NEEDS_GUEST_FILES();
  make_sparse(dir / "empty", 8 * MiB, {});
  serve(dir / "empty");
  expect_error(Code::unsupported, "vda: holds no file system that can be looked into, but nothing that is known",
               [&] { list("/"); });
  make_sparse(dir / "swap", 8 * MiB, {});
  run_well({"mkswap", dir / "swap"});
  serve(dir / "swap");
  expect_error(Code::unsupported, "vda (swap, 8 MiB)", [&] { list("/"); });
}

TEST_F(GuestFiles, WhatOnlyLibguestfsReadsNamesItsPackage) {
  MUSTER_NEEDS_GUEST_FILES();
  MUSTER_NEEDS("mkfs.minix");
  const OtherPrograms programs(dir / "programs");
  programs.leave_out("guestfish");
  make_sparse(dir / "disk", 8 * MiB, {});
  run_well({"mkfs.minix", dir / "disk"});
  serve(dir / "disk");
  expect_error(Code::unsupported, "look into vda (minix): guestfish is not installed: install guestfish",
               [&] { list("/"); });
  expect_error(Code::unsupported, "install guestfish", [&] { read("/file"); });
}

TEST_F(GuestFiles, AJournalThatIsNotReplayedIsWarnedOf) {
  MUSTER_NEEDS_GUEST_FILES();
  put("etc/file", "old");
  const std::string image = make_ext("disk");
  Messages messages;
  ctx.events = &messages;
  serve(image);
  EXPECT_EQ(read("/etc/file"), "old");
  EXPECT_EQ(messages.all, "");
  debugfs(image, "feature needs_recovery");
  EXPECT_EQ(read("/etc/file"), "old");
  EXPECT_NE(messages.all.find("vda: was in use when it was backed up"), std::string::npos) << messages.all;
}

TEST_F(GuestFiles, EncryptedFilesAreNotTakenForTheirBytes) {
  MUSTER_NEEDS_GUEST_FILES();
  put("secret", std::string(5000, 'x'));
  const std::string image = make_ext("disk");
  debugfs(image, "set_inode_field /secret flags 0x80800");
  serve(image);
  expect_error(Code::unsupported, "vda:/secret: is encrypted", [&] { read("/secret"); });
}

TEST_F(GuestFiles, ADamagedDirectoryIsSaidToBe) {
  MUSTER_NEEDS_GUEST_FILES();
  put("etc/file", "x");
  const std::string image = make_ext("disk");
  const std::uint64_t block = std::stoull(run_well({"debugfs", "-R", "blocks /etc", image}));
  const std::uint64_t block_bytes = 1024;
  write_into(image, block * block_bytes, pattern(0, block_bytes));
  serve(image);
  expect_error(Code::corrupt, "look into vda", [&] { read("/etc/file"); });
}

TEST_F(GuestFiles, AFileThatEndsEarlyIsSaidTo) {
  MUSTER_NEEDS_GUEST_FILES();
  put("file", std::string(100'000, 'x'));
  const std::string image = make_ext("disk");
  debugfs(image, "set_inode_field /file flags 0");  // its extents are no block numbers
  serve(image);
  expect_error(Code::corrupt, "vda", [&] { read("/file"); });
}

TEST_F(GuestFiles, WithoutQemusDaemonItsPackageIsNamed) {
  MUSTER_NEEDS_GUEST_FILES();
  serve(make_ext("disk"));
  const std::string path = std::getenv("PATH");
  fs::create_directories(dir / "bin");
  for (const std::string program : {"sh", "rm", "sleep"})
    fs::create_symlink(run_well({"sh", "-c", "printf %s \"$(command -v " + program + ")\""}), dir / ("bin/" + program));
  ::setenv("PATH", (dir / "bin").c_str(), 1);
  expect_error(Code::unsupported, "qemu-storage-daemon is not installed: install qemu-system-common",
               [&] { list("/"); });
  ::setenv("PATH", path.c_str(), 1);
}

TEST_F(GuestFiles, AServerThatIsNotThereIsSaid) {
  MUSTER_NEEDS_GUEST_FILES();
  disk_ = {.uri = "nbd+unix:///?socket=" + (dir / "none"), .name = "vda", .temporary_directory = dir / "tmp"};
  expect_error(Code::io, "present vda as a file", [&] { list("/"); });
  disk_.uri = "nbd://127.0.0.1:1";
  expect_error(Code::usage, "not an NBD URI of a Unix socket", [&] { list("/"); });
}

}  // namespace
}  // namespace muster::disk
