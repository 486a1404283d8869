// Images that record changes differently, or not at all: each is backed up as it is, and the others of its machine as
// ever.
#include "tests/e2e/backup_running_fixture.h"
#include "tests/e2e/loop_device.h"

namespace muster::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class BackupImageKinds : public BackupRunning {
 protected:
  std::string path_of(const std::string& name) const { return hypervisor_->directory() + "/" + name; }
  void qemu_img(const Words& words) const {
    Words argv{"qemu-img"};
    argv.insert(argv.end(), words.begin(), words.end());
    const auto done = run({.argv = argv});
    ASSERT_EQ(done.code, 0) << told(done);
  }
  // An image all of whose room is taken.
  std::string preallocated(const std::string& name) const {
    qemu_img({"create", "-q", "-f", "qcow2", "-o", "preallocation=falloc", path_of(name), std::to_string(kDiskBytes)});
    return path_of(name);
  }
  // web01, with some of its definition's text as it is here.
  void define_with(const std::vector<std::pair<std::string, std::string>>& changes) const {
    std::string xml = hypervisor_->xml_of({.name = "web01", .virtio_disk = "here"});
    for (const auto& [from, to] : changes) {
      const auto at = xml.find(from);
      ASSERT_NE(at, std::string::npos) << from << " in " << xml;
      xml.replace(at, from.size(), to);
    }
    hypervisor_->define_xml(xml);
  }
  // Started, with something on vda, and backed up once.
  TrackedDisk& begin() {
    hypervisor_->virsh({"start", "web01"});
    TrackedDisk& disk = disks_.emplace_back(*hypervisor_, "web01", "virtio-disk0", kDiskBytes);
    disk.write(kMiB, kMiB, 0x5a);
    create();
    next_second();
    return disk;
  }
  static const json& disk_of(const json& result, const std::string& target) {
    for (const auto& disk : result.at("disks"))
      if (disk.at("disk") == target) return disk;
    throw std::runtime_error("no disk " + target + " in " + result.dump());
  }
};

TEST_F(BackupImageKinds, Version2OfQcow2KeepsNoRecordAndSpoilsNoOther) {
  qemu_img({"create", "-q", "-f", "qcow2", "-o", "compat=0.10", path_of("old.qcow2"), "64M"});
  hypervisor_->define({.name = "web01", .scsi_disk = path_of("old.qcow2")});
  TrackedDisk& vda = begin();
  vda.write(2 * kMiB, kPiece, 0x22);
  const json second = create();
  EXPECT_EQ(disk_of(second, "vda").value("whole_because", ""), "") << second;
  EXPECT_TRUE(contains(disk_of(second, "sda").value("whole_because", ""), "version 2")) << second;
  EXPECT_FALSE(contains(last_errors_, "warning")) << last_errors_;
  expect_same(restored("web01@latest"), vda.bytes());
  expect(0, {"check", "-q"});
}

// Whatever opens that file writes past QEMU, and its records.
TEST_F(BackupImageKinds, DataInAFileOfItsOwnAreAlwaysReadWhole) {
  const std::string data = path_of("data.raw"), image = path_of("outer.qcow2");
  qemu_img({"create", "-q", "-f", "qcow2", "-o", "data_file=" + data + ",data_file_raw=on", image, "64M"});
  // libvirt does not know of it, and lets nobody in.
  fs::permissions(data, static_cast<fs::perms>(0666));
  hypervisor_->define({.name = "web01", .virtio_disk = image});
  begin();
  EXPECT_TRUE(contains(whole_because(create()), "file of their own"));
  hypervisor_->virsh({"destroy", "web01", "--graceful"});
  next_second();
  create();
  next_second();
  const auto times = fs::last_write_time(image);
  overwrite(data, 3 * kMiB, kPiece, 7);
  EXPECT_EQ(fs::last_write_time(image), times);
  create();
  expect_same(restored("web01@latest"), read(data));
}

TEST_F(BackupImageKinds, ADeviceWithoutRoomForTheRecordLosesItAndNothingElse) {
  const LoopDevice device(preallocated("full.qcow2"));
  if (device.path().empty()) GTEST_SKIP() << "no loop devices here";
  define_with({{"<disk type='file' device='disk'>", "<disk type='block' device='disk'>"},
               {"<source file='here'/>", "<source dev='" + device.path() + "'/>"}});
  TrackedDisk& disk = begin();
  disk.write(2 * kMiB, kPiece, 0x22);
  EXPECT_EQ(create().at("bytes_dirty"), kPiece) << "in memory it is";
  hypervisor_->virsh({"destroy", "web01", "--graceful"});
  hypervisor_->virsh({"start", "web01"});
  next_second();
  disk.write(3 * kMiB, kPiece, 0x33);
  EXPECT_NE(whole_because(create()), "");
  expect_same(restored("web01@latest"), disk.bytes());
  next_second();
  disk.write(4 * kMiB, kPiece, 0x44);
  EXPECT_EQ(create().at("bytes_dirty"), kPiece);
  expect_same(restored("web01@latest"), disk.bytes());
}

TEST_F(BackupImageKinds, WhatTheHypervisorEncryptsIsBackedUpWhileItRuns) {
  const std::string uuid = "6d0c7d0e-0f5e-4f0b-9a62-7f0f3b1f9c11", image = path_of("luks.qcow2");
  write(path_of("secret.txt"), "horse");
  qemu_img({"create", "-q", "-f", "qcow2", "--object", "secret,id=s,file=" + path_of("secret.txt"), "-o",
            "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10", image, "64M"});
  write(file("secret.xml"), "<secret ephemeral='no' private='yes'><uuid>" + uuid +
                                "</uuid><usage type='volume'><volume>" + image + "</volume></usage></secret>");
  hypervisor_->virsh({"secret-define", file("secret.xml")});
  hypervisor_->virsh({"secret-set-value", uuid, "--file", path_of("secret.txt"), "--plain"});
  define_with({{"<source file='here'/>", "<source file='" + image +
                                             "'><encryption format='luks'><secret type='passphrase' uuid='" + uuid +
                                             "'/></encryption></source>"}});
  TrackedDisk& disk = begin();
  disk.write(2 * kMiB, kPiece, 0x22);
  EXPECT_EQ(create().at("bytes_dirty"), kPiece);
  expect_same(restored("web01@latest"), disk.bytes());
  // What it overwrites meanwhile is not put beside the image in clear, unless it was said where.
  Launch beside = backup_command({"create", hypervisor_->uri() + "#web01", "--json"});
  beside.argv = hypervisor_->inside(beside.argv);
  const auto refused = run(beside);
  EXPECT_EQ(refused.code, 5) << told(refused);
  EXPECT_TRUE(contains(refused.out, "lie in clear beside the image")) << told(refused);
  hypervisor_->virsh({"destroy", "web01", "--graceful"});
  next_second();
  const auto off = backup(create_words("web01"));
  EXPECT_EQ(off.code, 4) << told(off);
  EXPECT_TRUE(contains(off.out, "encrypted by its hypervisor")) << told(off);
  // Beside it, in clear; not into the image, of which muster has no key.
  const auto as = expect(0, {"restore", "web01@latest", "--as", hypervisor_->uri() + "#web02", "--to",
                             hypervisor_->directory(), "--start"});
  EXPECT_TRUE(contains(as.err, "without the encryption of disk vda")) << told(as);
  EXPECT_EQ(hypervisor_->state("web02"), "running");
  write(file("inventory.yaml"), "all: {hosts: {web01: {}}, vars: {hypervisor: '" + hypervisor_->uri() + "'}}\n");
  const auto in_place = backup({"restore", "web01@latest", "--in-place", "--yes"});
  EXPECT_EQ(in_place.code, 4) << told(in_place);
  // Nor is it written down in clear.
  expect(0, {"init", "-q", "--no-encryption", file("clear")});
  hypervisor_->virsh({"start", "web01"});
  const auto clear = backup(create_words("web01", {"-R", file("clear")}));
  EXPECT_EQ(clear.code, 5) << told(clear);
  EXPECT_TRUE(contains(clear.out, "this repository is not encrypted")) << told(clear);
}

}  // namespace
}  // namespace muster::e2e
