// muster vm migrate --copy-storage between two real libvirtd whose storage is not shared: what arrives is what was
// there, and a move that fails leaves nothing on the target and the machine running where it was.
#include <filesystem>

#include <signal.h>

#include "tests/e2e/end_to_end.h"
#include "tests/e2e/hypervisor.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Words = std::vector<std::string>;

// The same path on both, and different storage.
constexpr const char* kImages = "/var/lib/libvirt/images";

class VmCopy : public EndToEnd {
 protected:
  static void SetUpTestSuite() {
    if (!no_hypervisor_because().empty()) return;
    bed_ = std::make_unique<TempDir>();
    for (auto* hypervisor : {&source_, &target_}) {
      const std::string name = hypervisor == &source_ ? "hv1" : "hv2";
      *hypervisor = std::make_unique<Hypervisor>(Hypervisor::Options{.name = name, .bed = *bed_ / "bed"});
      (*hypervisor)->virsh({"pool-create-as", "images", "dir", "--target", kImages});
    }
  }
  static void TearDownTestSuite() {
    source_.reset();
    target_.reset();
    bed_.reset();
  }
  void SetUp() override {
    if (!source_) GTEST_SKIP() << no_hypervisor_because();
  }
  void TearDown() override {
    for (const auto* hypervisor : {source_.get(), target_.get()}) {
      if (hypervisor == nullptr) continue;
      hypervisor->try_virsh({"destroy", "data"});
      hypervisor->try_virsh({"undefine", "data", "--checkpoints-metadata", "--nvram"});
      run({.argv = hypervisor->inside({"umount", "-q", kImages})});
      for (const auto& entry : fs::directory_iterator(images_of(*hypervisor))) fs::remove(entry.path());
    }
    EndToEnd::TearDown();
  }

  static Hypervisor& source() { return *source_; }
  static Hypervisor& target() { return *target_; }
  // kImages as it is seen from outside.
  static std::string images_of(const Hypervisor& hypervisor) { return hypervisor.directory() + "/../lib/images"; }
  static std::string image_on(const Hypervisor& hypervisor, const std::string& name = "data.qcow2") {
    return images_of(hypervisor) + '/' + name;
  }
  static std::string state(const Hypervisor& hypervisor) {
    const auto found = hypervisor.try_virsh({"domstate", "data"});
    return found.code == 0 ? found.out.substr(0, found.out.find('\n')) : "none";
  }
  static Words listing(const Hypervisor& hypervisor) {
    Words names;
    for (const auto& entry : fs::directory_iterator(images_of(hypervisor))) names.push_back(entry.path().filename());
    return names;
  }

  // A machine on the source with a disk whose content is known.
  static void define(const std::string& image = "data.qcow2") {
    const std::string path = image_on(source(), "data.qcow2");
    must({"qemu-img", "create", "-q", "-f", "qcow2", path, "64M"});
    must({"qemu-io", "-c", "write -P 0x5a 0 8M", "-c", "write -P 0x33 40M 1M", path});
    if (image != "data.qcow2")
      must({"qemu-img", "create", "-q", "-u", "-f", "qcow2", "-F", "qcow2", "-b", std::string(kImages) + "/data.qcow2",
            image_on(source(), image), "64M"});
    source().define({.name = "data", .virtio_disk = std::string(kImages) + '/' + image});
    source().virsh({"start", "data"});
  }
  static std::uint64_t taken(const std::string& path) {
    const auto done = run({.argv = {"qemu-img", "info", "-U", "--output=json", path}});
    return nlohmann::json::parse(done.out).value("actual-size", std::uint64_t{0});
  }
  static void must(const Words& argv) {
    const auto done = run({.argv = argv});
    ASSERT_EQ(done.code, 0) << told(done);
  }
  Launch migrate(const Words& words = {}) const {
    Words all = {program("muster"), "vm",   "migrate",       "-c", source().uri(), "--to",
                 target().uri(),    "data", "--copy-storage"};
    all.insert(all.end(), words.begin(), words.end());
    return {.argv = in_clean_environment(all, {"HOME=" + home()}), .deadline = 60s};
  }
  // One that takes nine seconds.
  Launch slow_migrate(const Words& words = {}) const {
    Words all = {"--bandwidth", "1M"};
    all.insert(all.end(), words.begin(), words.end());
    return migrate(all);
  }
  static bool copying() { return fs::exists(image_on(target())) && state(target()) != "none"; }
  // As if nothing had been tried.
  static void expect_nothing_happened() {
    EXPECT_EQ(state(source()), "running");
    EXPECT_EQ(state(target()), "none");
    EXPECT_EQ(listing(target()), Words{});
    EXPECT_FALSE(contains(source().virsh({"dumpxml", "data"}), "urn:x-muster"));
    EXPECT_FALSE(contains(source().virsh({"dumpxml", "--inactive", "data"}), "urn:x-muster"));
  }

 private:
  static std::unique_ptr<TempDir> bed_;
  static std::unique_ptr<Hypervisor> source_, target_;
};

std::unique_ptr<TempDir> VmCopy::bed_;
std::unique_ptr<Hypervisor> VmCopy::source_, VmCopy::target_;

TEST_F(VmCopy, WhatArrivesIsWhatWasThere) {
  define();
  source().virsh({"autostart", "data"});
  const auto check = run(migrate({"--check"}));
  EXPECT_EQ(check.code, 0) << told(check);
  EXPECT_TRUE(contains(check.out, "data: can move to")) << told(check);
  expect_nothing_happened();

  const auto done = run(migrate({"--json"}));
  ASSERT_EQ(done.code, 0) << told(done);
  const auto lines = json_lines(done.out);
  const auto result = lines.at(lines.size() - 2);
  EXPECT_EQ(result.value("state", ""), "running") << done.out;
  EXPECT_EQ(result.value("left_files", Words{}), Words{std::string(kImages) + "/data.qcow2"}) << done.out;
  EXPECT_EQ(state(target()), "running");
  EXPECT_EQ(state(source()), "none");
  EXPECT_TRUE(contains(target().virsh({"dominfo", "data"}), "Autostart:      enable"));
  EXPECT_FALSE(contains(target().virsh({"dumpxml", "data"}), "urn:x-muster"));
  EXPECT_FALSE(contains(target().virsh({"dumpxml", "--inactive", "data"}), "urn:x-muster"));
  target().virsh({"destroy", "data"});
  must({"qemu-img", "compare", image_on(source()), image_on(target())});
  must({"qemu-io", "-r", "-c", "read -P 0x5a 0 8M", "-c", "read -P 0 8M 32M", "-c", "read -P 0x33 40M 1M",
        image_on(target())});
  EXPECT_LT(taken(image_on(target())), 12U << 20) << "it is thin";
  target().virsh({"start", "data"});
}

// What its firmware wrote is in a file of its own, which is no disk.
TEST_F(VmCopy, VariablesGoAlong) {
  const std::string firmware = "/usr/share/OVMF/OVMF_CODE_4M.fd", pty = "<serial type='pty'>";
  if (!fs::exists(firmware)) GTEST_SKIP() << "no " << firmware << ": run scripts/install-packages test";
  must({"qemu-img", "create", "-q", "-f", "qcow2", image_on(source()), "1M"});
  std::string xml = source().xml_of({.name = "data", .virtio_disk = std::string(kImages) + "/data.qcow2"});
  xml.insert(xml.find("<boot dev='hd'/>"), "<loader readonly='yes' type='pflash'>" + firmware + "</loader>");
  xml.replace(xml.find(pty), pty.size(), "<serial type='file'><source path='" + std::string(kImages) + "/console'/>");
  source().define_xml(xml);
  const auto off = run(migrate({"--offline", "--check"}));
  EXPECT_TRUE(contains(off.out, "its UEFI variables do not go along while it is off")) << told(off);
  source().virsh({"start", "data"});
  const auto variables = [](const Hypervisor& hypervisor) {
    return run({.argv = {"sha256sum", hypervisor.directory() + "/../lib/qemu/nvram/data_VARS.fd"}}).out.substr(0, 64);
  };
  // In its shell it writes no more.
  const auto in_shell = [&] { return contains(read(image_on(source(), "console")), "startup.nsh"); };
  ASSERT_TRUE(wait_until(in_shell, 60'000)) << "the firmware does not run";
  const auto done = run(migrate());
  ASSERT_EQ(done.code, 0) << told(done);
  EXPECT_TRUE(contains(done.out, "data: left where it was: /var/lib/libvirt/qemu/nvram/data_VARS.fd")) << told(done);
  EXPECT_TRUE(wait_until([&] { return variables(target()) == variables(source()); }));
}

TEST_F(VmCopy, AnImageOnAnotherArrivesWhole) {
  define("top.qcow2");
  const auto done = run(migrate());
  ASSERT_EQ(done.code, 0) << told(done);
  EXPECT_TRUE(contains(done.out, "data: left where it was: " + std::string(kImages) + "/top.qcow2\n")) << told(done);
  EXPECT_EQ(listing(target()), Words{"top.qcow2"});
  target().virsh({"destroy", "data"});
  must({"qemu-img", "compare", image_on(source()), image_on(target(), "top.qcow2")});
  target().virsh({"start", "data"});
}

TEST_F(VmCopy, WhatHindersIsToldBeforehand) {
  define();
  const auto refused = [&](const Words& words, const std::string& why) {
    auto check = words;
    check.emplace_back("--check");
    const auto told_before = run(migrate(check));
    EXPECT_TRUE(contains(told_before.out, "data: no: ") && contains(told_before.out, why)) << told(told_before);
    const auto done = run(migrate(words));
    EXPECT_EQ(done.code, 5) << told(done);
    EXPECT_TRUE(contains(done.err, why)) << told(done);
    EXPECT_EQ(state(source()), "running");
  };
  must({"qemu-img", "create", "-q", "-f", "qcow2", image_on(target()), "1M"});
  refused({}, "the target has /var/lib/libvirt/images/data.qcow2 already, which is not overwritten");
  EXPECT_EQ(fs::file_size(image_on(target())), 196616U) << "somebody else's image";
  fs::remove(image_on(target()));

  must(target().inside({"mount", "-t", "tmpfs", "-o", "size=4M", "tmpfs", kImages}));
  refused({}, "storage pool 'images' of the target has 4 MiB left, and the images take 10 MiB");
  must(target().inside({"umount", kImages}));

  target().virsh({"pool-destroy", "images"});
  refused({}, "no storage pool of the target has the directory");
  target().virsh({"pool-create-as", "images", "dir", "--target", kImages});

  source().virsh({"checkpoint-create-as", "data", "c1"});
  refused({}, "it has checkpoints, whose bitmaps would not be copied");
  source().virsh({"checkpoint-delete", "data", "c1"});

  fs::copy_file(image_on(source()), image_on(source(), "seed.iso"));
  source().virsh({"change-media", "data", "sdb", std::string(kImages) + "/seed.iso", "--insert"});
  refused({}, "sdb has /var/lib/libvirt/images/seed.iso inserted, which the target has not");
  source().virsh({"change-media", "data", "sdb", "--eject"});

  source().virsh({"destroy", "data"});
  const auto off = run(migrate({"--offline"}));
  EXPECT_EQ(off.code, 5) << told(off);
  EXPECT_TRUE(contains(off.err, "images are copied only of a machine that runs")) << told(off);
}

TEST_F(VmCopy, AnInterruptedOneLeavesNothing) {
  define();
  MusterProcess moving(slow_migrate());
  ASSERT_TRUE(wait_until(copying));
  moving.signal(SIGINT);
  ASSERT_TRUE(moving.wait_for_error("again: end them"));
  moving.signal(SIGINT);
  const auto ended = moving.finish();
  EXPECT_EQ(ended.code, 130) << told(ended);
  EXPECT_TRUE(wait_until([] { return state(target()) == "none" && listing(target()).empty(); })) << told(ended);
  EXPECT_TRUE(wait_until([] { return !contains(source().virsh({"dumpxml", "data"}), "urn:x-muster"); }));
  expect_nothing_happened();
}

TEST_F(VmCopy, ALateOneLeavesNothing) {
  define();
  const auto late = run(slow_migrate({"--timeout", "1s"}));
  EXPECT_EQ(late.code, 1) << told(late);
  EXPECT_TRUE(contains(late.err, "runs on where it was")) << told(late);
  expect_nothing_happened();
}

TEST_F(VmCopy, AFailedOneLeavesNothing) {
  define();
  must(target().inside({"mount", "-t", "tmpfs", "-o", "size=16M", "tmpfs", kImages}));
  MusterProcess moving(migrate({"--bandwidth", "3M"}));
  const auto there = [] {
    return run({.argv = target().inside({"test", "-e", std::string(kImages) + "/data.qcow2"})}).code == 0;
  };
  ASSERT_TRUE(wait_until([&] { return there() && state(target()) != "none"; })) << moving.err();
  // Somebody else takes all the room.
  run({.argv = target().inside({"dd", "if=/dev/zero", "of=" + std::string(kImages) + "/other", "bs=64k"})});
  const auto failed = moving.finish();
  EXPECT_EQ(failed.code, 14) << told(failed);
  EXPECT_FALSE(there()) << told(failed);
  must(target().inside({"umount", kImages}));
  expect_nothing_happened();
}

// With its worker, at once: nobody is left to put things back.
TEST_F(VmCopy, AKilledOneIsClearedAwayByTheNext) {
  define();
  MusterProcess moving(slow_migrate());
  ASSERT_TRUE(wait_until(copying));
  for (const pid_t pid : process_tree(moving.pid())) ::kill(pid, SIGKILL);
  moving.finish();
  ASSERT_TRUE(wait_until([] { return state(target()) == "none"; }, 30'000));
  EXPECT_EQ(state(source()), "running");
  EXPECT_EQ(listing(target()), Words{"data.qcow2"}) << "what this is about";
  const auto check = run(migrate({"--check"}));
  EXPECT_TRUE(contains(check.out, "data: can move to")) << told(check);
  ASSERT_TRUE(wait_until([] {
    return source().try_virsh({"domjobinfo", "data"}).out.find("None") != std::string::npos;
  }));
  const auto done = run(migrate());
  EXPECT_EQ(done.code, 0) << told(done);
  target().virsh({"destroy", "data"});
  must({"qemu-img", "compare", image_on(source()), image_on(target())});
}

}  // namespace
}  // namespace muster::e2e
