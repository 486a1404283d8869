// muster disk: images by their paths, and disks of machines on a real libvirtd and QEMU, whose sizes change while what
// is in them stays.
#include <signal.h>

#include "tests/e2e/clone_fixture.h"
#include "tests/e2e/over_ssh.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

using nlohmann::json;

class Disk : public OverSsh<CloneFixture> {
 protected:
  static json qemu_img_info(const std::string& path) {
    return json::parse(run({.argv = {"qemu-img", "info", "-U", "--output=json", path}}).out);
  }
  static std::uint64_t size_of(const std::string& path) { return qemu_img_info(path).value("virtual-size", 0ULL); }
  // With 2 MiB of data after its first MiB.
  void make_machine(const std::string& name, const std::string& size = "64M") const {
    make_image(name + "-gold.qcow2", size);
    must_here({"vm", "create", name, "--disk", "from=images/" + name + "-gold.qcow2", "--network", "user"});
  }
  static std::string disk_image(const std::string& machine) { return image(machine + "-vda.qcow2"); }
  static void expect_data(const std::string& path) {
    must({"qemu-io", "-r", "-U", "-f", "qcow2", "-c", "read -P 0x5a 1M 2M", path});
  }
  void expect_refused(const Words& words, int code, const std::string& text) const {
    const auto done = here(words);
    EXPECT_EQ(done.code, code) << told(done);
    EXPECT_TRUE(contains(done.err, text)) << told(done);
  }
};

constexpr std::uint64_t kMib = 1U << 20U;

TEST_F(Disk, AnImageIsLookedAtAndGrows) {
  make_image("a.qcow2");
  const std::string path = image("a.qcow2");
  EXPECT_TRUE(contains(must_here({"disk", "info", path}), path + ": qcow2, 64M as its guest sees it, "));
  const auto info = results({"disk", "info", path});
  ASSERT_EQ(info.size(), 1U);
  EXPECT_EQ(info[0].value("capacity_bytes", 0ULL), 64 * kMib);
  EXPECT_GE(info[0].value("allocation_bytes", 0ULL), 2 * kMib);
  EXPECT_EQ(must_here({"disk", "resize", path, "+64M", "--dry-run"}), path + ": would change 64M -> 128M\n");
  EXPECT_EQ(size_of(path), 64 * kMib);
  EXPECT_EQ(must_here({"disk", "resize", path, "+64M"}), path + ": 64M -> 128M\n");
  EXPECT_EQ(size_of(path), 128 * kMib);
  EXPECT_EQ(must_here({"disk", "resize", path, "128M"}), path + ": is 128M already\n");
  expect_data(path);
}

TEST_F(Disk, AnImageShrinksByWhatIsEmptyAndAfterAQuestion) {
  make_image("a.qcow2");
  const std::string path = image("a.qcow2");
  expect_refused({"disk", "resize", path, "-32M"}, 5, "--shrink");
  expect_refused({"disk", "resize", path, "-32M", "--shrink"}, 5, "--yes");
  expect_refused({"disk", "resize", path, "2M", "--shrink", "--yes"}, 5, "holds data at byte 2097152");
  EXPECT_EQ(size_of(path), 64 * kMib);
  const auto shrunk = results({"disk", "resize", path, "-32M", "--shrink", "--yes"});
  ASSERT_EQ(shrunk.size(), 1U);
  EXPECT_EQ(shrunk[0].value("from_bytes", 0ULL), 64 * kMib);
  EXPECT_EQ(shrunk[0].value("to_bytes", 0ULL), 32 * kMib);
  EXPECT_TRUE(shrunk[0].value("changed", false));
  EXPECT_EQ(size_of(path), 32 * kMib);
  expect_data(path);
}

TEST_F(Disk, ARunningMachinesDiskGrowsAtOnce) {
  make_machine("web1");
  must_here({"vm", "start", "web1"});
  expect_refused({"disk", "resize", disk_image("web1"), "128M"}, 11, "in use");
  expect_refused({"disk", "resize", "web1:vda", "32M", "--shrink", "--yes"}, 5, "its guest runs");
  const auto plan = here({"disk", "resize", "web1:vda", "+64M", "--dry-run"});
  EXPECT_EQ(plan.out, "web1:vda: would change 64M -> 128M\n") << told(plan);
  const auto grown = results({"disk", "resize", "web1:vda", "+64M"});
  ASSERT_EQ(grown.size(), 1U);
  EXPECT_TRUE(grown[0].value("running", false)) << grown[0];
  EXPECT_EQ(grown[0].value("to_bytes", 0ULL), 128 * kMib);
  EXPECT_TRUE(contains(virsh({"domblkinfo", "web1", "vda"}), "134217728"));
  EXPECT_EQ(results({"disk", "info", "web1:vda"})[0].value("capacity_bytes", 0ULL), 128 * kMib);
  EXPECT_EQ(size_of(disk_image("web1")), 128 * kMib);
}

TEST_F(Disk, OneThatIsOffGrowsAndShrinks) {
  make_machine("web1");
  EXPECT_EQ(must_here({"disk", "resize", "web1:vda", "96M"}), "web1:vda: 64M -> 96M\n");
  EXPECT_EQ(size_of(disk_image("web1")), 96 * kMib);
  expect_refused({"disk", "resize", "web1:vda", "2M", "--shrink", "--yes"}, 5, "holds data at byte 2097152");
  expect_refused({"disk", "resize", "web1:vda", "48M", "--shrink"}, 5, "--yes");
  EXPECT_EQ(must_here({"disk", "resize", "web1:vda", "48M", "--shrink", "--yes"}), "web1:vda: 96M -> 48M\n");
  EXPECT_EQ(size_of(disk_image("web1")), 48 * kMib);
  expect_data(disk_image("web1"));
  must_here({"vm", "start", "web1"});
}

TEST_F(Disk, MastersStayAsTheyAre) {
  make_machine("gold");
  must_here({"master", "seal", "gold", "--name", "web"});
  must_here({"clone", "create", "web", "web1", "--linked", "--network", "user"});
  for (const Words& words :
       {Words{"disk", "resize", disk_image("gold"), "128M"}, Words{"disk", "resize", "gold:vda", "128M"},
        Words{"disk", "resize", "gold:vda", "128M", "--dry-run"},
        Words{"disk", "resize", disk_image("gold"), "32M", "--shrink", "--yes"}})
    expect_refused(words, 5, "master 'web'");
  EXPECT_EQ(size_of(disk_image("gold")), 64 * kMib);
  EXPECT_TRUE(contains(must_here({"disk", "info", disk_image("gold")}), "belongs to"));
  // Its clone is its own.
  EXPECT_EQ(must_here({"disk", "resize", "web1:vda", "128M"}), "web1:vda: 64M -> 128M\n");
  expect_refused({"disk", "resize", "web1:vda", "32M", "--shrink", "--yes"}, 5, "show through");
}

TEST_F(Disk, AnImageInNoPoolIsAFileOfThisHost) {
  make_machine("web1");
  const std::string overlay = hypervisor().directory() + "/apart/top.qcow2";
  std::filesystem::create_directory(hypervisor().directory() + "/apart");
  must({"qemu-img", "create", "-q", "-f", "qcow2", "-b", disk_image("web1"), "-F", "qcow2", overlay});
  virsh({"detach-disk", "web1", "vda", "--config"});
  must_here({"vm", "attach", "web1", "disk=" + overlay});
  EXPECT_EQ(must_here({"disk", "resize", "web1:vda", "128M"}), "web1:vda: 64M -> 128M\n");
  EXPECT_EQ(size_of(overlay), 128 * kMib);
  must({"qemu-io", "-f", "qcow2", "-c", "write 70M 64k", overlay});
  expect_refused({"disk", "resize", "web1:vda", "96M"}, 5, "--shrink");
  std::filesystem::remove_all(hypervisor().directory() + "/apart");
}

TEST_F(Disk, OnAnotherHostItsPoolGrowsIt) {
  make_machine("web1");
  make_image("gold.raw");
  must_here({"vm", "create", "web2", "--disk", "from=images/gold.raw,format=raw", "--network", "user"});
  start_server(hypervisor());
  const std::string there = uri_with_client();
  const auto grown = run(on({"disk", "resize", "web[1-2]:vda", "+64M"}, there));
  EXPECT_EQ(grown.code, 0) << told(grown);
  EXPECT_TRUE(contains(grown.out, "web1:vda: 64M -> 128M\n") && contains(grown.out, "web2:vda: 64M -> 128M\n"))
      << told(grown);
  EXPECT_EQ(size_of(disk_image("web1")), 128 * kMib);
  EXPECT_EQ(std::filesystem::file_size(image("web2-vda.raw")), 128 * kMib);
  const auto less = run(on({"disk", "resize", "web1:vda", "96M", "--shrink", "--yes"}, there));
  EXPECT_EQ(less.code, 5) << told(less);
  EXPECT_TRUE(contains(less.err, "on its own host")) << told(less);
  must({"qemu-img", "create", "-q", "-f", "qcow2", image("liar.qcow2"), "1G"});
  must({"dd", "status=none", "conv=notrunc", "if=" + image("liar.qcow2"), "of=" + image("web2-vda.raw")});
  virsh({"pool-refresh", "images"});
  const auto lied = run(on({"disk", "resize", "web2:vda", "+64M"}, there));
  EXPECT_EQ(lied.code, 5) << told(lied);
  EXPECT_TRUE(contains(lied.err, "begins as qcow2")) << told(lied);
  must_here({"master", "seal", "web1", "--name", "web"});
  EXPECT_EQ(run(on({"disk", "resize", "web1:vda", "+64M"}, there)).code, 5);
  MusterProcess user({.argv = {"qemu-nbd", "--persistent", "-f", "qcow2", "-k", file("socket"), image("liar.qcow2")}});
  ASSERT_TRUE(wait_until([&] { return std::filesystem::exists(file("socket")); }));
  virsh({"detach-disk", "web2", "vda", "--config"});
  virsh({"pool-refresh", "images"});
  must_here({"vm", "attach", "web2", "disk=" + image("liar.qcow2") + ",target=vdb"});
  const auto busy = run(on({"disk", "resize", "web2:vdb", "+64M"}, there));
  EXPECT_EQ(busy.code, 11) << told(busy);
  user.signal(SIGTERM);
  user.finish();
}

TEST_F(Disk, OneThatSomebodyElseHasOpenStaysAsItIs) {
  make_image("gold.raw");
  must_here({"vm", "create", "web1", "--disk", "from=images/gold.raw,format=raw", "--network", "user"});
  const std::string path = image("web1-vda.raw");
  MusterProcess user({.argv = {"qemu-nbd", "--persistent", "-f", "raw", "-k", file("socket"), path}});
  ASSERT_TRUE(wait_until([&] { return std::filesystem::exists(file("socket")); }));
  for (const Words& words : {Words{"disk", "resize", "web1:vda", "128M"}, Words{"disk", "resize", path, "128M"},
                             Words{"disk", "resize", "web1:vda", "128M", "--dry-run"}})
    expect_refused(words, 11, "in use");
  EXPECT_EQ(std::filesystem::file_size(path), 64 * kMib);
  user.signal(SIGTERM);
  user.finish();
}

TEST_F(Disk, TwoNamesOfOneMachineAreNotGrownTwice) {
  make_machine("web1");
  const std::string uri = hypervisor().uri();
  write(file("two.yaml"), "all:\n  hosts:\n    a: {hypervisor: '" + uri + "', domain: web1}\n    b: {hypervisor: '" +
                              uri + "', domain: web1}\n");
  const auto done =
      run({.argv = in_clean_environment({program("muster"), "disk", "-i", file("two.yaml"), "resize", "all:vda", "+1G"},
                                        {"HOME=" + home(), "TMPDIR=" + file("tmp")})});
  EXPECT_EQ(done.code, 5) << told(done);
  EXPECT_TRUE(contains(done.err, "a and b are one machine")) << told(done);
  EXPECT_EQ(size_of(disk_image("web1")), 64 * kMib);
}

TEST_F(Disk, OfManyMachinesEachIsTold) {
  make_machine("web1");
  make_machine("web2");
  virsh({"detach-disk", "web2", "vda", "--config"});
  const auto done = here({"disk", "resize", "web[1-2]:vda", "96M"});
  EXPECT_EQ(done.code, 3) << told(done);
  EXPECT_EQ(done.out, "web1:vda: 64M -> 96M\n");
  EXPECT_TRUE(contains(done.err, "'web2' has no disk vda")) << told(done);
}

TEST_F(Disk, SavedMemoryKnowsTheSize) {
  make_machine("web1");
  must_here({"vm", "start", "web1"});
  must_here({"vm", "save", "web1"});
  expect_refused({"disk", "resize", "web1:vda", "128M"}, 5, "saved memory");
  EXPECT_EQ(size_of(disk_image("web1")), 64 * kMib);
}

// A guest that writes the header of another format into its raw disk does not choose what its host takes it for.
TEST_F(Disk, WhatAGuestWroteIsNoFormat) {
  make_image("gold.raw");
  must_here({"vm", "create", "web1", "--disk", "from=images/gold.raw,format=raw", "--network", "user"});
  const std::string path = image("web1-vda.raw");
  must({"qemu-img", "create", "-q", "-f", "qcow2", image("liar.qcow2"), "1G"});
  must({"dd", "status=none", "conv=notrunc", "if=" + image("liar.qcow2"), "of=" + path});
  virsh({"pool-refresh", "images"});
  EXPECT_EQ(must_here({"disk", "resize", "web1:vda", "128M"}), "web1:vda: 64M -> 128M\n");
  EXPECT_EQ(std::filesystem::file_size(path), 128 * kMib);
  must({"cmp", "-n", "65536", path, image("liar.qcow2")});
}

TEST_F(Disk, WhatCannotBeMeantIsSaid) {
  make_image("a.qcow2");
  const std::string path = image("a.qcow2");
  for (const Words& words :
       {Words{"disk"}, Words{"disk", "resize"}, Words{"disk", "resize", path}, Words{"disk", "resize", path, "much"},
        Words{"disk", "resize", path, "-1T", "--shrink"}, Words{"disk", "resize", "web1", "2G"},
        Words{"disk", "resize", "nobody:vda", "2G"}, Words{"disk", "info", path + ".not"},
        Words{"disk", "resize", path, "2G", "--format", "vmdk"}, Words{"disk", "resize", path, "--expect=-1"},
        Words{"disk", "info", path, "--shrink"}})
    EXPECT_EQ(here(words).code, 2) << told(here(words));
}

}  // namespace
}  // namespace muster::e2e
