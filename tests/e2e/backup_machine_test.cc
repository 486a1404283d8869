// Machines that come back whole: as others, as themselves, over their own disks.
#include "tests/e2e/backup_running_fixture.h"

namespace muster::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class BackupMachine : public BackupRunning {};

TEST_F(BackupMachine, MachinesThatMusterMakesCanBeFollowed) {
  hypervisor_->virsh({"pool-create-as", "default", "dir", "--target", hypervisor_->directory()});
  const auto made = run({.argv = {program("muster"), "vm", "create", "made01", "-c", hypervisor_->uri(), "--disk",
                                  "64M", "--memory", "64M", "--network", "none", "--start", "-q"},
                         .environment = {"HOME=" + home()}});
  ASSERT_EQ(made.code, 0) << told(made);
  create("made01");
  EXPECT_EQ(last_errors_, "");
  EXPECT_EQ(checkpoints("made01").size(), 1U);
  next_second();
  EXPECT_EQ(whole_because(create("made01")), "");
}

TEST_F(BackupMachine, RestoredInPlaceItIsAsItWasAndFollowedOn) {
  TrackedDisk& disk = start();
  disk.write(kMiB, 4 * kMiB, 0x5a);
  create();
  const std::string then = disk.bytes();
  write(file("inventory.yaml"), "all: {hosts: {web01: {}}, vars: {hypervisor: '" + hypervisor_->uri() + "'}}\n");
  next_second();
  disk.write(2 * kMiB, 8 * kPiece, 0x21);
  disk.write(20 * kMiB, kPiece, 0x22);
  create();
  const auto words = Words{"restore", points().at(0).value("point", ""), "--in-place"};
  expect(5, words, "");  // it runs
  hypervisor_->virsh({"destroy", "web01", "--graceful"});
  expect(5, words);  // nobody said yes
  Words sure = words;
  sure.insert(sure.end(), {"--yes", "--json"});
  const auto done = json_lines(expect(0, sure).out);
  EXPECT_LT(done.at(0).value("written_bytes", 0U), 2U << 20) << "what differs, and no more";
  const std::string raw = file("now.raw");
  ASSERT_EQ(run({.argv = {"qemu-img", "convert", "-O", "raw", image(), raw}}).code, 0);
  expect_same(read(raw), then);
  next_second();
  hypervisor_->virsh({"start", "web01"});
  const json third = create();
  EXPECT_EQ(whole_because(third), "") << "QEMU recorded what was restored";
  expect_same(restored("web01@latest"), then);
}

TEST_F(BackupMachine, DisksUnderASavedMemoryAreNotReplaced) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  create();
  write(file("inventory.yaml"), "all: {hosts: {web01: {}}, vars: {hypervisor: '" + hypervisor_->uri() + "'}}\n");
  hypervisor_->virsh({"managedsave", "web01"});
  const auto refused = expect(5, {"restore", "web01@latest", "--in-place", "--yes"});
  EXPECT_TRUE(contains(refused.err, "memory")) << told(refused);
  next_second();
  EXPECT_EQ(create().value("consistency", ""), "crash");
}

TEST_F(BackupMachine, AsAnotherMachineItHasAnIdentityOfItsOwn) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  create();
  const std::string name = hypervisor_->uri() + "#copy";
  const auto plan = expect(0, {"restore", "web01@latest", "--as", name, "--dry-run"});
  EXPECT_TRUE(contains(plan.out, "would define 'copy'")) << told(plan);
  expect(0, {"restore", "web01@latest", "--as", name, "-q", "--start"});
  EXPECT_EQ(hypervisor_->state("copy"), "running");
  EXPECT_NE(hypervisor_->virsh({"domuuid", "web01"}), hypervisor_->virsh({"domuuid", "copy"}));
  hypervisor_->virsh({"destroy", "copy", "--graceful"});
  const std::string raw = file("copy.raw");
  ASSERT_EQ(run({.argv = {"qemu-img", "convert", "-O", "raw", hypervisor_->directory() + "/copy-vda.qcow2", raw}}).code,
            0);
  expect_same(read(raw), disk.bytes());
  expect(5, {"restore", "web01@latest", "--as", name});
  expect(2, {"restore", "web01@latest", "--to", file("x.raw"), "--start"});
  // The machine is gone: the same one again.
  const std::string uuid = hypervisor_->virsh({"domuuid", "web01"});
  hypervisor_->virsh({"destroy", "web01"});
  hypervisor_->virsh({"undefine", "web01", "--checkpoints-metadata"});
  fs::create_directory(file("images"));
  expect(0, {"restore", "web01@latest", "--as", hypervisor_->uri() + "#web01", "--same-identity", "--to",
             file("images"), "--format", "raw"});
  EXPECT_EQ(hypervisor_->virsh({"domuuid", "web01"}), uuid);
  expect_same(read(file("images/web01-vda.raw")), disk.bytes());
}

TEST_F(BackupMachine, ARestorePointBecomesAMasterAndClonesHaveItsDisks) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  create();
  const std::string uri = hypervisor_->uri(), name = uri + "#gold";
  hypervisor_->virsh({"pool-create-as", "images", "dir", "--target", hypervisor_->directory()});
  const auto muster = [&](Words words, int code) {
    words.insert(words.begin(), program("muster"));
    words.insert(words.end(), {"-c", uri, "-q"});
    const auto done = run({.argv = words, .environment = {"HOME=" + home()}});
    EXPECT_EQ(done.code, code) << told(done);
    return done.out;
  };
  expect(2, {"restore", "web01@latest", "--as", name, "--master", "web@2"});
  expect(2, {"restore", "web01@latest", "--as", name, "--master", "web", "--start"});
  expect(2, {"restore", "web01@latest", "--as", name, "--master", "web", "--guest", "windows"});
  expect(2, {"restore", "web01@latest", "--as", name, "--guest", "none"});
  fs::create_directory(file("elsewhere"));
  expect(4, {"restore", "web01@latest", "--as", name, "--master", "web", "--to", file("elsewhere")});
  EXPECT_TRUE(fs::is_empty(file("elsewhere")));
  const auto plan = expect(0, {"restore", "web01@latest", "--as", name, "--master", "web", "--dry-run"});
  EXPECT_TRUE(contains(plan.out, "seal it as a master")) << told(plan);
  expect(0, {"restore", "web01@latest", "--as", name, "--master", "web", "--guest", "none", "-q"});
  EXPECT_TRUE(contains(muster({"master", "list"}, 0), "web@1"));
  muster({"vm", "start", "gold"}, 5);
  const auto again = expect(5, {"restore", "web01@latest", "--as", name, "--master", "web"});
  EXPECT_TRUE(contains(again.err, "muster master seal")) << told(again);
  muster({"clone", "create", "web", "web02", "--linked"}, 0);
  const std::string raw = file("clone.raw");
  ASSERT_EQ(
      run({.argv = {"qemu-img", "convert", "-O", "raw", hypervisor_->directory() + "/web02-vda.qcow2", raw}}).code, 0);
  expect_same(read(raw), disk.bytes());
  // A later one is its next generation.
  next_second();
  disk.write(2 * kMiB, kMiB, 0x21);
  create();
  expect(0, {"restore", "web01@latest", "--as", uri + "#gold2", "--master", "web", "--guest", "none", "-q"});
  EXPECT_TRUE(contains(muster({"master", "list"}, 0), "web@2"));
}

// What the firmware wrote, byte for byte, beside the copy's own definition.
TEST_F(BackupMachine, FirmwareVariablesComeBackWithTheMachine) {
  if (!fs::exists("/usr/share/OVMF/OVMF_CODE_4M.fd")) GTEST_SKIP() << "OVMF is not installed";
  std::string xml = hypervisor_->xml_of({.name = "uefi01", .virtio_disk = hypervisor_->make_disk("uefi01", "1M")});
  xml.insert(xml.find("<boot dev='hd'/>"),
             "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>"
             "<nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'>/var/lib/libvirt/qemu/nvram/uefi01_VARS.fd</nvram>");
  hypervisor_->define_xml(xml);
  const std::string directory = hypervisor_->directory() + "/../lib/qemu/nvram/";
  fs::create_directories(directory);
  write(directory + "uefi01_VARS.fd", noise(540'672, 7));
  create("uefi01");
  expect(0, {"restore", "uefi01@latest", "--as", hypervisor_->uri() + "#uefi02", "-q"});
  EXPECT_TRUE(same(directory + "uefi01_VARS.fd", directory + "uefi02_VARS.fd"));
  const std::string definition = hypervisor_->virsh({"dumpxml", "uefi02"});
  EXPECT_TRUE(contains(definition, "uefi02_VARS.fd</nvram>")) << definition;
}

// A machine with a TPM whose state is encrypted with a secret of libvirt's.
class BackupTpm : public BackupMachine {
 protected:
  void SetUp() override {
    if (!fs::exists("/usr/bin/swtpm")) GTEST_SKIP() << "swtpm is not installed";
    BackupMachine::SetUp();
    if (!IsSkipped()) define_machine();
  }
  void define_machine() {
    write(file("secret.xml"), "<secret ephemeral='no' private='no'><uuid>" + uuid +
                                  "</uuid><description>of a TPM</description><usage type='vtpm'><name>tpm01</name>"
                                  "</usage></secret>");
    hypervisor_->virsh({"secret-define", file("secret.xml")});
    hypervisor_->virsh({"secret-set-value", uuid, "--base64", "b3BlbiBzZXNhbWU="});
    std::string xml = hypervisor_->xml_of({.name = "tpm01", .virtio_disk = hypervisor_->make_disk("tpm01", "1M")});
    xml.insert(xml.find("</devices>"),
               "<tpm model='tpm-crb'><backend type='emulator' version='2.0'><encryption secret='" + uuid +
                   "'/></backend></tpm>");
    hypervisor_->define_xml(xml);
  }
  // At home on the hypervisor: such files are its own host's.
  Finished at_home(Words words, const std::string& repository) {
    words.insert(words.begin(), {program("muster"), "backup"});
    words.insert(words.end(), {"-R", repository, "-q"});
    const auto done = run({.argv = hypervisor_->inside(words), .environment = {"HOME=" + home()}});
    EXPECT_EQ(done.code, 0) << told(done);
    return done;
  }

  const std::string uuid = "6dd3e4a5-0d2f-4a58-9a0b-3c1f6b1d7e55";
};

// Off or running: what it has is read when the backup begins, and again with the disks.
TEST_F(BackupTpm, SecretsStayOutOfARepositoryThatIsNotEncrypted) {
  const std::string clear = file("clear");
  expect(0, {"init", "--no-encryption", "-R", clear, "-q"});
  const auto parts_in = [&](const std::string& repository) {
    const auto done = at_home({"create", "qemu:///system#tpm01"}, repository);
    EXPECT_EQ(contains(done.err, "is not encrypted"), repository == clear) << told(done);
    return expect(0, {"show", "tpm01@latest", "-R", repository}).out;
  };
  for (const char* action : {"start", "destroy"}) {
    hypervisor_->virsh({action, "tpm01"});
    EXPECT_TRUE(contains(parts_in(repository()), "secrets")) << action;
    EXPECT_FALSE(contains(parts_in(clear), "secrets")) << action;
    next_second();
  }
}

// It does not start without either.
TEST_F(BackupTpm, WhatItsTpmKeepsComesBackAndTheSecretThatOpensIt) {
  hypervisor_->virsh({"start", "tpm01"});
  hypervisor_->virsh({"destroy", "tpm01"});
  const auto state_of = [&](const std::string& name) {
    std::string owner = hypervisor_->virsh({"domuuid", name});
    owner.resize(owner.find('\n'));
    return hypervisor_->directory() + "/../lib/swtpm/" + owner + "/tpm2/tpm2-00.permall";
  };
  const std::string state = read(state_of("tpm01"));
  ASSERT_FALSE(state.empty());
  EXPECT_EQ(at_home({"create", "qemu:///system#tpm01"}, repository()).err, "");
  hypervisor_->virsh({"undefine", "tpm01", "--tpm", "--checkpoints-metadata"});
  hypervisor_->virsh({"secret-undefine", uuid});
  EXPECT_EQ(at_home({"restore", "tpm01@latest", "--as", "qemu:///system#tpm02"}, repository()).err, "");
  EXPECT_TRUE(read(state_of("tpm02")) == state);
  EXPECT_TRUE(contains(hypervisor_->virsh({"secret-get-value", uuid}), "b3BlbiBzZXNhbWU="));
  hypervisor_->virsh({"start", "tpm02"});
  EXPECT_EQ(hypervisor_->state("tpm02"), "running");
}

// It has no disks: its files are its host's.
TEST_F(BackupMachine, AContainersFilesAreAnArea) {
  const std::string root = file("container");
  fs::create_directories(root + "/etc");
  write(root + "/etc/motd", "hello\n");
  write(file("c1.xml"),
        "<domain type='lxc'><name>c1</name><memory unit='MiB'>64</memory><os><type>exe</type>"
        "<init>/bin/sh</init></os><devices><filesystem type='mount'><source dir='" +
            root + "'/><target dir='/'/></filesystem></devices></domain>");
  const auto defined = run({.argv = {"virsh", "-q", "-c", hypervisor_->lxc_uri(), "define", file("c1.xml")}});
  ASSERT_EQ(defined.code, 0) << told(defined);
  const auto refused = backup({"create", hypervisor_->lxc_uri() + "#c1"});
  EXPECT_EQ(refused.code, 4) << told(refused);
  EXPECT_TRUE(contains(refused.err, root + ", for create --area")) << told(refused);
  expect(0, {"create", "--area", root, "--name", "c1", "-q"});
  EXPECT_EQ(expect(0, {"cat", "c1@latest:/etc/motd"}).out, "hello\n");
}

TEST_F(BackupMachine, WhatAnotherMachineIsBuiltOnIsNotWrittenOver) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  create();
  hypervisor_->virsh({"destroy", "web01", "--graceful"});
  const std::string clone = hypervisor_->directory() + "/clone01.qcow2";
  ASSERT_EQ(run({.argv = {"qemu-img", "create", "-q", "-f", "qcow2", "-b", image(), "-F", "qcow2", clone}}).code, 0);
  hypervisor_->define({.name = "clone01", .virtio_disk = clone});
  write(file("inventory.yaml"), "all: {hosts: {web01: {}}, vars: {hypervisor: '" + hypervisor_->uri() + "'}}\n");
  const Words words{"restore", "web01@latest", "--in-place", "--yes", "-q"};
  const auto refused = expect(5, words);
  EXPECT_TRUE(contains(refused.err, "clone01")) << told(refused);
  hypervisor_->virsh({"undefine", "clone01"});
  fs::remove(clone);
  expect(0, words);
}

TEST_F(BackupMachine, OneThatIsDeletedIsBackedUpAtItsEnd) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  create();
  next_second();
  disk.write(5 * kMiB, kPiece, 0x21);
  const auto plan = vm({"delete", "web01", "--dry-run", "--timeout", "0s", "-R", repository()});
  EXPECT_TRUE(contains(plan.out, "final-backup    make a restore point")) << told(plan);
  const auto gone = vm({"delete", "web01", "--purge", "--yes", "--timeout", "0s", "-R", repository()});
  EXPECT_EQ(gone.code, 0) << told(gone);
  EXPECT_FALSE(fs::exists(image()));
  const auto all = points();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all.back().at("tags"), json::array({"final"}));
  EXPECT_EQ(all.back().at("consistency"), "off");
  expect_same(restored("web01@latest"), disk.bytes());
  expect(0, {"restore", "-q", "web01@latest", "--as", hypervisor_->uri() + "#web01", "--same-identity"});
  EXPECT_EQ(hypervisor_->state("web01"), "shut off");
}

// It may have run since: what was backed up then is not what it was at its end.
TEST_F(BackupMachine, ADeletionThatBrokeOffIsBackedUpAgain) {
  TrackedDisk& disk = start();
  disk.write(kMiB, kMiB, 0x5a);
  const Words words{"delete", "web01", "--yes", "--timeout", "0s", "-R", repository()};
  ASSERT_EQ(vm(words).code, 0);
  ASSERT_EQ(points().size(), 1U);
  ASSERT_EQ(vm({"undelete", "web01"}).code, 0);
  hypervisor_->virsh({"start", "web01"});
  disk.write(5 * kMiB, kPiece, 0x21);
  next_second();
  ASSERT_EQ(vm(words).code, 0);
  ASSERT_EQ(points().size(), 2U);
  expect_same(restored("web01@latest"), disk.bytes());
  Words purge = words;
  purge.emplace_back("--purge");
  EXPECT_EQ(vm(purge).code, 0) << "it was taken";
  EXPECT_EQ(points().size(), 2U);
  EXPECT_FALSE(fs::exists(image()));
}

TEST_F(BackupMachine, OneThatWentIntoTheTrashWithoutABackupIsNotPurgedAsIfItHadOne) {
  start();
  ASSERT_EQ(vm({"delete", "web01", "--yes", "--timeout", "0s"}).code, 0);
  const Words words{"delete", "web01", "--yes", "--purge", "-R", repository()};
  const auto refused = vm(words);
  EXPECT_NE(refused.code, 0);
  EXPECT_TRUE(fs::exists(image())) << told(refused);
  Words skipping = words;
  skipping.insert(skipping.end(), {"--skip", "final-backup"});
  EXPECT_EQ(vm(skipping).code, 0);
  EXPECT_FALSE(fs::exists(image()));
}

TEST_F(BackupMachine, OneWhoseFinalBackupFailsIsNotDeleted) {
  start();
  const Words words{"delete", "web01", "--purge", "--yes", "--timeout", "0s", "-R", file("nowhere")};
  const auto failed = vm(words);
  EXPECT_EQ(failed.code, 1) << told(failed);
  EXPECT_EQ(hypervisor_->state("web01"), "running") << "nothing is stopped for what cannot be done";
  EXPECT_TRUE(contains(failed.err, "final backup") && contains(failed.err, "--skip final-backup")) << told(failed);
  EXPECT_TRUE(fs::exists(image()));
  Words skipping = words;
  skipping.insert(skipping.end(), {"--skip", "final-backup"});
  EXPECT_EQ(vm(skipping).code, 0);
  EXPECT_FALSE(fs::exists(image()));
}

}  // namespace
}  // namespace muster::e2e
