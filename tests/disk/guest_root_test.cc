// Files of a system that is off: found, changed in place of what was there, and a file system without errors after it.
#include "disk/guest_root.h"

#include <algorithm>

#include "disk/guest_fish_root.h"
#include "disk/image_server.h"
#include "tests/disk/guest_tree.h"

namespace muster::disk {
namespace {

using base::Code;

class GuestRoots : public GuestTreeTest {
 protected:
  GuestRoots() { put("etc/fstab", ""); }

  std::string make_system(const std::string& type = "ext4") const {
    return make_disk("disk", {{"", 1}, {make_ext("root", type), 48}});
  }
  std::unique_ptr<GuestRoot> open(const std::string& image, Access access, ImageFormat format = ImageFormat::raw) {
    return open_guest_root(ctx, {{.path = image, .format = format}}, access, dir / "tmp");
  }
  // What fsck says of the second partition.
  void expect_sound(const std::string& image) const {
    const auto done = run({"e2fsck", "-fn", image + "?offset=" + std::to_string(2 * MiB)});
    EXPECT_EQ(done.code, 0) << done.out << done.err;
  }
  std::string inode_of(const std::string& image, const std::string& path) const {
    return run_well({"debugfs", "-R", "stat " + path, image + "?offset=" + std::to_string(2 * MiB)});
  }
  static bool holds(const std::string& text, const std::string& words) { return text.find(words) != std::string::npos; }
};

TEST_F(GuestRoots, WhatIsWrittenTakesThePlaceOfWhatWas) {
  MUSTER_NEEDS_GUEST_FILES();
  put("etc/hostname", "master\n");
  put("etc/key", "old");
  std::filesystem::permissions(tree("etc/key"), std::filesystem::perms::owner_read);
  link("hostname", "etc/name");
  for (const std::string type : {"ext2", "ext3", "ext4"}) {
    const std::string image = make_system(type);
    {
      const auto root = open(image, Access::write);
      EXPECT_EQ(root->read(ctx, "/etc/hostname"), "master\n");
      EXPECT_EQ(root->read(ctx, "/etc/none"), std::nullopt);
      EXPECT_EQ(root->read(ctx, "/etc"), std::nullopt);
      root->write(ctx, "/etc/name", "web01\n", {});
      root->write(ctx, "/etc/key", "new", {.mode = 0777});
      root->write(ctx, "/etc/fresh", std::string(100'000, 'x'), {.mode = 0640, .uid = 70'000, .gid = 6});
      root->make_directory(ctx, "/etc/made", {.mode = 0700, .uid = 5, .gid = 5});
      root->make_directory(ctx, "/etc/made", {});
      root->write(ctx, "/etc/made/inside", "", {});
      EXPECT_EQ(root->read(ctx, "/etc/hostname"), "web01\n");
      EXPECT_EQ(root->read(ctx, "/etc/fresh"), std::string(100'000, 'x'));
      EXPECT_EQ(root->read(ctx, "/etc/made/inside"), "");
      auto names = root->names_in(ctx, "/etc");
      std::sort(names.begin(), names.end());
      EXPECT_EQ(names, (std::vector<std::string>{"fresh", "fstab", "hostname", "key", "made", "name"}));
    }
    expect_sound(image);
    const std::string key = inode_of(image, "/etc/key"), fresh = inode_of(image, "/etc/fresh");
    EXPECT_TRUE(holds(key, "Mode:  0400")) << key;
    EXPECT_TRUE(holds(fresh, "Mode:  0640") && holds(fresh, "User: 70000") && holds(fresh, "Group:     6")) << fresh;
    EXPECT_TRUE(holds(inode_of(image, "/etc/made"), "Mode:  0700"));
    EXPECT_TRUE(holds(inode_of(image, "/etc/name"), "Type: symlink"));
    EXPECT_EQ(open(image, Access::read)->read(ctx, "/etc/hostname"), "web01\n");
  }
}

TEST_F(GuestRoots, WhatIsRemovedIsGoneAndLinksAreRemovedThemselves) {
  MUSTER_NEEDS_GUEST_FILES();
  put("etc/file", "x");
  put("etc/kept", "kept");
  link("kept", "etc/link");
  const std::string image = make_system();
  {
    const auto root = open(image, Access::write);
    root->remove(ctx, "/etc/file");
    root->remove(ctx, "/etc/link");
    root->remove(ctx, "/etc/none");
    root->remove(ctx, "/none/at/all");
    EXPECT_EQ(root->read(ctx, "/etc/file"), std::nullopt);
    EXPECT_EQ(root->read(ctx, "/etc/link"), std::nullopt);
    EXPECT_EQ(root->read(ctx, "/etc/kept"), "kept");
    expect_error(Code::usage, "is a directory", [&] { root->remove(ctx, "/etc"); });
    expect_error(Code::not_found, "no such directory", [&] { root->write(ctx, "/none/file", "", {}); });
    expect_error(Code::usage, "no regular file", [&] { root->write(ctx, "/etc", "", {}); });
    expect_error(Code::unsupported, "such names", [&] { root->write(ctx, "/etc/a\"b", "", {}); });
    expect_error(Code::unsupported, "such names", [&] { root->write(ctx, "/etc/a\nrm fstab", "", {}); });
    expect_error(Code::usage, "begins with a slash", [&] { root->read(ctx, "etc/kept"); });
  }
  expect_sound(image);
}

TEST_F(GuestRoots, NamesWithBlanksAreQuoted) {
  MUSTER_NEEDS_GUEST_FILES();
  put("etc/Wired connection 1", "old");
  const std::string image = make_system();
  {
    const auto root = open(image, Access::write);
    root->write(ctx, "/etc/Wired connection 1", "new", {});
    root->write(ctx, "/etc/Wired connection (2)", "two", {.mode = 0600});
    root->write(ctx, "/etc/gone, too", "x", {});
    root->remove(ctx, "/etc/gone, too");
    EXPECT_EQ(root->read(ctx, "/etc/Wired connection 1"), "new");
    EXPECT_EQ(root->read(ctx, "/etc/Wired connection (2)"), "two");
    EXPECT_EQ(root->read(ctx, "/etc/gone, too"), std::nullopt);
    root->commit(ctx);
  }
  expect_sound(image);
}

TEST_F(GuestRoots, OfTwoSystemsNoneIsTouched) {
  MUSTER_NEEDS_GUEST_FILES();
  put("etc/hostname", "master\n");
  const std::string root = make_ext("root"), image = make_disk("disk", {{root, 48}, {root, 48}});
  const auto before = run_well({"sha256sum", image});
  expect_error(Code::unsupported, "several systems", [&] { open(image, Access::write); });
  EXPECT_EQ(run_well({"sha256sum", image}), before);
}

TEST_F(GuestRoots, WhatE2fsprogsDoNotReadWellIsLeftToLibguestfs) {
  MUSTER_NEEDS_GUEST_FILES();
  const OtherPrograms programs(dir / "programs");
  programs.leave_out("guestfish");
  run_well({"mke2fs", "-q", "-F", "-t", "ext4", "-O", "inline_data", "-d", tree(""), dir / "inline", "48M"});
  const std::string image = make_disk("disk", {{dir / "inline", 48}});
  expect_error(Code::unsupported, "install guestfish", [&] { open(image, Access::write); });
}

TEST_F(GuestRoots, WhatMayNotBeInTheImageIsSaid) {
  MUSTER_NEEDS_GUEST_FILES();
  MUSTER_NEEDS("qemu-nbd");
  for (const std::string program : {"qemu-nbd", "qemu-storage-daemon"}) {
    const OtherPrograms programs(dir / program);
    programs.let_fail_at_its_end(program);
    const auto root = open(make_system(), Access::write);
    root->write(ctx, "/etc/file", "x", {});
    expect_error(Code::io, "what was written to it may not be there", [&] { root->commit(ctx); });
  }
}

TEST_F(GuestRoots, OnceItIsCommittedNobodyHasItOpen) {
  MUSTER_NEEDS_GUEST_FILES();
  const std::string image = make_system();
  const auto root = open(image, Access::write);
  root->write(ctx, "/etc/file", "x", {});
  root->commit(ctx);
  EXPECT_EQ(open(image, Access::read)->read(ctx, "/etc/file"), "x");
}

TEST_F(GuestRoots, AnOverlayIsChangedAndNotWhatItIsBuiltOn) {
  MUSTER_NEEDS_GUEST_FILES();
  MUSTER_NEEDS("qemu-img");
  MUSTER_NEEDS("qemu-nbd");
  put("etc/hostname", "master\n");
  const std::string image = make_system(), overlay = dir / "clone.qcow2";
  run_well({"qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image, overlay});
  const auto before = run_well({"sha256sum", image});
  open(overlay, Access::write, ImageFormat::qcow2)->write(ctx, "/etc/hostname", "web01\n", {});
  EXPECT_EQ(open(overlay, Access::read, ImageFormat::qcow2)->read(ctx, "/etc/hostname"), "web01\n");
  EXPECT_EQ(run_well({"sha256sum", image}), before);
  EXPECT_LT(allocated(overlay), 4 * MiB);
}

TEST_F(GuestRoots, LabelsOfSelinuxAreKeptAndGivenToWhatIsNew) {
  MUSTER_NEEDS_GUEST_FILES();
  put("etc/hostname", "master\n");
  const std::string root = make_ext("root");
  for (const auto& [path, label] : {std::pair{"/", "root_t"}, {"/etc", "etc_t"}, {"/etc/hostname", "hostname_etc_t"}})
    debugfs(root, "ea_set " + std::string(path) + " security.selinux " + label);
  const std::string image = make_disk("disk", {{"", 1}, {root, 48}});
  {
    const auto files = open(image, Access::write);
    files->write(ctx, "/etc/hostname", "web01\n", {});
    files->write(ctx, "/etc/fresh", "", {});
  }
  const auto label = [&](const std::string& path) {
    return run_well(
        {"debugfs", "-R", "ea_get " + path + " security.selinux", image + "?offset=" + std::to_string(2 * MiB)});
  };
  EXPECT_TRUE(holds(label("/etc/hostname"), "hostname_etc_t")) << label("/etc/hostname");
  EXPECT_TRUE(holds(label("/etc/fresh"), "\"etc_t")) << label("/etc/fresh");
  expect_sound(image);
}

TEST_F(GuestRoots, AJournalIsReplayedBeforeTheFirstChange) {
  MUSTER_NEEDS_GUEST_FILES();
  put("etc/hostname", "master\n");
  const std::string image = make_system();
  debugfs(image + "?offset=" + std::to_string(2 * MiB), "feature needs_recovery");
  open(image, Access::write)->write(ctx, "/etc/hostname", "web01\n", {});
  EXPECT_FALSE(
      holds(run_well({"debugfs", "-R", "features", image + "?offset=" + std::to_string(2 * MiB)}), "needs_recovery"));
  expect_sound(image);
}

TEST_F(GuestRoots, ADamagedFileSystemIsLeftAlone) {
  MUSTER_NEEDS_GUEST_FILES();
  put("etc/one", "1");
  put("etc/two", "2");
  const std::string image = make_system("ext2");
  const std::string device = image + "?offset=" + std::to_string(2 * MiB);
  // Two files with one block: which one lost its own, nobody can know.
  const std::string block = run_well({"debugfs", "-R", "bmap /etc/two 0", device});
  debugfs(device, "set_inode_field /etc/one block[0] " + block.substr(0, block.find('\n')));
  debugfs(device, "set_super_value state 2");
  expect_error(Code::corrupt, "has errors", [&] { open(image, Access::write); });
}

TEST_F(GuestRoots, AFullFileSystemIsSaid) {
  MUSTER_NEEDS_GUEST_FILES();
  put("fill", std::string(36 * MiB, 'x'));
  const std::string image = make_system();
  const auto root = open(image, Access::write);
  expect_error(Code::no_space, "change", [&] { root->write(ctx, "/etc/large", std::string(20 * MiB, 'y'), {}); });
}

TEST_F(GuestRoots, WhatIsInUseIsLeftAlone) {
  MUSTER_NEEDS_GUEST_FILES();
  const std::string image = make_system();
  const auto first = open(image, Access::write);
  expect_error(Code::busy, "", [&] { open(image, Access::write); });
}

TEST(GuestRootNames, ArePlain) {
  for (const char* name : {"hostname", "ssh_host_ed25519_key.pub", "10-x@y.conf", "a+b~c:d",
                           "Wired connection 1.nmconnection", "a (1), b"})
    EXPECT_TRUE(is_plain_guest_name(name)) << name;
  for (const char* name : {"", ".", "..", " a", "(", "a\"b", "a/b", "<2>", "a\nb", "$x", "a\\b", "\xc3\xa9"})
    EXPECT_FALSE(is_plain_guest_name(name)) << name;
}

TEST(GuestRootMounts, ComeInTheirOrder) {
  const auto points = parse_mount_points("/var/log: /dev/vg/log\n/: /dev/sda3\n/var: /dev/vg/var\n");
  ASSERT_EQ(points.size(), 3U);
  EXPECT_EQ(points[0].path, "/");
  EXPECT_EQ(points[1].path, "/var");
  EXPECT_EQ(points[2].device, "/dev/vg/log");
  EXPECT_THROW(parse_mount_points("nonsense\n"), base::Error);
}

// Half a minute each where there is no KVM.
class FishRoots : public GuestRoots {
 protected:
  void SetUp() override {
    MUSTER_NEEDS("guestfish");
    MUSTER_NEEDS("mkfs.xfs");
  }
};

TEST_F(FishRoots, AnotherFileSystemIsChangedByLibguestfs) {
  make_sparse(dir / "disk.raw", 400 * MiB, {});
  run_well({"sh", "-c", "printf 'label: gpt\\nstart=2048\\n' | sfdisk -q \"$1\"", "sh", dir / "disk.raw"});
  make_sparse(dir / "xfs", 390 * MiB, {});
  std::ofstream(dir / "proto") << "/\n0 0\nd--755 0 0\netc d--755 0 0\nfstab ---644 0 0 " << tree("etc/fstab")
                               << "\nhostname ---600 0 0 " << tree("etc/hostname") << "\nos-release ---644 0 0 "
                               << tree("etc/os-release") << "\n$\nbin d--755 0 0\n$\nvar d--755 0 0\n$\n$\n";
  put("etc/hostname", "master\n");
  put("etc/os-release", "ID=debian\nNAME=Debian\nVERSION_ID=12\n");
  put("etc/fstab", "/dev/sda1 / xfs defaults 0 0\n");
  run_well({"mkfs.xfs", "-q", "-p", dir / "proto", dir / "xfs"});
  run_well({"dd", "if=" + (dir / "xfs"), "of=" + (dir / "disk.raw"), "bs=1M", "seek=1", "conv=notrunc,sparse",
            "status=none"});
  const auto root = open(dir / "disk.raw", Access::write);
  EXPECT_EQ(root->read(ctx, "/etc/hostname"), "master\n");
  EXPECT_EQ(root->read(ctx, "/etc/none"), std::nullopt);
  root->write(ctx, "/etc/hostname", "web01\n", {});
  root->make_directory(ctx, "/etc/ssh", {.mode = 0755});
  root->write(ctx, "/etc/ssh/key", std::string("with\0zero", 9), {.mode = 0600});
  EXPECT_EQ(root->read(ctx, "/etc/ssh/key"), std::string("with\0zero", 9));
  root->remove(ctx, "/etc/ssh/key");
  root->remove(ctx, "/etc/ssh/key");
  EXPECT_TRUE(root->names_in(ctx, "/etc/ssh").empty());
  EXPECT_TRUE(root->names_in(ctx, "/none").empty());
  expect_error(Code::usage, "is a directory", [&] { root->remove(ctx, "/etc"); });
  expect_error(Code::not_found, "no such directory", [&] { root->write(ctx, "/none/file", "", {}); });
  EXPECT_EQ(root->read(ctx, "/etc/hostname"), "web01\n");
  root->commit(ctx);
  // Served by somebody, and not there any more once it is read.
  auto server = std::make_shared<ImageServer>(
      ctx, dir / "disk.raw", ImageServerOptions{.access = Access::read, .temporary_directory = dir / "tmp"});
  const std::string uri = server->uri();
  const auto again = open_guest_root(
      ctx, {{.path = "there:disk.raw", .format = ImageFormat::raw, .uri = uri, .server = std::move(server)}},
      Access::read, dir / "tmp");
  EXPECT_EQ(again->read(ctx, "/etc/hostname"), "web01\n");
}

}  // namespace
}  // namespace muster::disk
