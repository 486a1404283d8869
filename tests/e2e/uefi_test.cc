// Machines with UEFI firmware, Debian's OVMF, on a real hypervisor: which firmware they get, and where its variables
// are while they are made, deleted, brought back and renamed.
#include <filesystem>
#include <map>

#include "tests/e2e/on_hypervisor.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

constexpr const char* kFirmware = "/usr/share/OVMF/OVMF_CODE_4M.fd";
constexpr const char* kFreshVariables = "/usr/share/OVMF/OVMF_VARS_4M.fd";

class Uefi : public OnHypervisor {
 protected:
  static void SetUpTestSuite() {
    if (!fs::exists(kFirmware)) return;
    start_hypervisor({});
    if (has_hypervisor()) virsh({"pool-create-as", "images", "dir", "--target", hypervisor().directory()});
  }
  void SetUp() override {
    if (!fs::exists(kFirmware)) GTEST_SKIP() << "no " << kFirmware << ": run scripts/install-packages test";
    OnHypervisor::SetUp();
  }

  void expect_done(const Words& arguments) const {
    const auto done = vm(arguments);
    EXPECT_EQ(done.code, 0) << told(done);
  }
  void create(const Words& more = {}) const {
    Words words = {"create", "web01", "--disk", "1M", "--memory", "128M", "--network", "none", "--firmware", "uefi"};
    words.insert(words.end(), more.begin(), more.end());
    expect_done(words);
  }
  // web01 as other programs make it, which leave the firmware to libvirt.
  static void define_by_hand() {
    std::string xml = hypervisor().xml_of({.name = "web01", .virtio_disk = hypervisor().make_disk("by-hand")});
    xml.insert(xml.find("<os>") + 3, " firmware='efi'");
    xml.insert(xml.find("<boot dev='hd'/>"), "<firmware><feature enabled='no' name='secure-boot'/></firmware>");
    hypervisor().define_xml(xml);
  }
  static std::string definition(const std::string& name) { return hypervisor().virsh({"dumpxml", "--inactive", name}); }
  // The element <os>.
  static std::string os_of(const std::string& name) {
    const std::string xml = definition(name);
    return xml.substr(xml.find("  <os"), xml.find("</os>") - xml.find("  <os"));
  }

  static std::string variables_directory() { return hypervisor().directory() + "/../lib/qemu/nvram"; }
  static std::string digest(const std::string& path) { return run({.argv = {"sha256sum", path}}).out.substr(0, 64); }
  // Each file of variables.
  static std::map<std::string, std::string> variables() {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::directory_iterator(variables_directory()))
      all[entry.path().filename()] = digest(entry.path());
    return all;
  }
  // Runs the firmware until it has written variables of its own, and switches the machine off.
  static void let_it_write(const std::string& name) {
    const std::string fresh = digest(kFreshVariables), path = variables_directory() + '/' + name + "_VARS.fd";
    hypervisor().try_virsh({"start", name});
    EXPECT_TRUE(wait_until([&] { return fs::exists(path) && digest(path) != fresh; }, 60'000)) << "it does not run";
    hypervisor().virsh({"destroy", name});
  }
  void remove_all() const {
    expect_done({"trash", "empty", "--older-than", "0s", "--yes", "-q"});
    EXPECT_TRUE(variables().empty());
    EXPECT_EQ(hypervisor().virsh({"list", "--all", "--name"}), "");
  }
};

TEST_F(Uefi, AMachineKeepsItsFirmwareAndVariables) {
  create();
  // Named before the first start, so that no later version of the package changes it; without secure boot.
  EXPECT_TRUE(contains(os_of("web01"), std::string(">") + kFirmware + "<")) << os_of("web01");
  EXPECT_TRUE(contains(os_of("web01"), "/var/lib/libvirt/qemu/nvram/web01_VARS.fd<")) << os_of("web01");
  EXPECT_TRUE(variables().empty());
  let_it_write("web01");
  const auto had = variables();
  ASSERT_EQ(had.size(), 1U);
  const std::string before = os_of("web01");
  const auto told_of = vm({"info", "web01", "--json"});
  const auto facts = json_lines(told_of.out).at(0);
  EXPECT_EQ(facts.value("firmware", ""), "efi") << told(told_of);
  EXPECT_EQ(facts.value("nvram", ""), "/var/lib/libvirt/qemu/nvram/web01_VARS.fd") << told(told_of);
  const auto info = vm({"info", "web01"});
  EXPECT_TRUE(contains(info.out, "efi") && contains(info.out, "web01_VARS.fd")) << told(info);

  // In the trash they are out of the way of the next machine of that name, which starts with fresh ones.
  expect_done({"delete", "web01", "--yes"});
  EXPECT_FALSE(fs::exists(variables_directory() + "/web01_VARS.fd"));
  define_by_hand();
  hypervisor().virsh({"start", "web01"});
  EXPECT_EQ(variables().size(), 2U);
  expect_done({"delete", "web01", "--yes", "--purge", "--timeout", "0s"});
  EXPECT_EQ(variables().size(), 1U);

  expect_done({"undelete", "web01"});
  EXPECT_EQ(variables(), had);
  EXPECT_EQ(os_of("web01"), before);
  expect_done({"delete", "web01", "--yes", "--purge"});
  remove_all();
}

// libvirt 9.0 names neither firmware nor variables in such a definition.
TEST_F(Uefi, WhatLibvirtChoseComesBackToo) {
  define_by_hand();
  let_it_write("web01");
  const auto had = variables();
  const std::string before = os_of("web01");
  expect_done({"delete", "web01", "--yes"});
  ASSERT_EQ(variables().size(), 1U);
  EXPECT_EQ(variables().count("web01_VARS.fd"), 0U);
  EXPECT_EQ(variables().begin()->second, had.begin()->second);
  expect_done({"undelete", "web01"});
  EXPECT_EQ(variables(), had);
  EXPECT_EQ(os_of("web01"), before);

  expect_done({"delete", "web01", "--yes"});
  remove_all();
}

TEST_F(Uefi, ARenamedMachineTakesItsVariablesAlong) {
  create();
  let_it_write("web01");
  const std::string had = variables().at("web01_VARS.fd");
  expect_done({"rename", "web01", "web02"});
  EXPECT_EQ(variables(), (std::map<std::string, std::string>{{"web02_VARS.fd", had}}));
  EXPECT_TRUE(contains(os_of("web02"), "web02_VARS.fd")) << os_of("web02");
  hypervisor().virsh({"start", "web02"});
  EXPECT_NE(vm({"rename", "web02", "web03"}).code, 0) << "it runs";
  EXPECT_TRUE(variables().contains("web02_VARS.fd"));
  expect_done({"delete", "web02", "--yes", "--purge", "--timeout", "0s"});
  remove_all();
}

TEST_F(Uefi, WithoutFirmwareItIsRefused) {
  const auto without = [&](const std::string& what) {
    return run({.argv = hypervisor().inside({what, "-t", "tmpfs", "tmpfs", "/usr/share/qemu/firmware"})});
  };
  ASSERT_EQ(without("mount").code, 0);
  hypervisor().restart();
  const auto refused = vm({"create", "web01", "--disk", "1M", "--network", "none", "--firmware", "uefi"});
  EXPECT_EQ(refused.code, 4) << told(refused);
  EXPECT_TRUE(contains(refused.err, "has no UEFI firmware") && contains(refused.err, "package ovmf")) << told(refused);
  run({.argv = hypervisor().inside({"umount", "/usr/share/qemu/firmware"})});
  hypervisor().restart();
  remove_all();
}

TEST_F(Uefi, AClonesVariablesAreThoseOfItsMasterAndItsOwnFile) {
  create();
  let_it_write("web01");
  const std::string written = variables()["web01_VARS.fd"];
  const auto muster_on = [&](Words words) {
    words.insert(words.begin(), program("muster"));
    words.insert(words.end(), {"-q", "-c", hypervisor().uri()});
    const auto done = run({.argv = in_clean_environment(words, {"HOME=" + home(), "TMPDIR=" + file("tmp")})});
    EXPECT_EQ(done.code, 0) << told(done);
  };
  muster_on({"master", "seal", "web01", "--name", "gold", "--copy"});
  muster_on({"clone", "create", "gold", "app[1-2]", "--linked"});
  for (const std::string name : {"app1", "app2"}) {
    EXPECT_EQ(variables()[name + "_VARS.fd"], written) << name;
    EXPECT_TRUE(contains(os_of(name), name + "_VARS.fd")) << os_of(name);
  }
  hypervisor().virsh({"start", "app1"});
  hypervisor().virsh({"destroy", "app1"});
  // Variables that were kept for another are not written over, nor removed.
  const std::string kept = variables_directory() + "/app3_VARS.fd";
  write(kept, "somebody's");
  const auto refused = run({.argv = in_clean_environment(
                                {program("muster"), "clone", "create", "gold", "app3", "-q", "-c", hypervisor().uri()},
                                {"HOME=" + home(), "TMPDIR=" + file("tmp")})});
  EXPECT_EQ(refused.code, 5) << told(refused);
  EXPECT_EQ(read(kept), "somebody's");
  EXPECT_FALSE(contains(hypervisor().virsh({"list", "--all"}), "app3"));
  fs::remove(kept);
  for (const std::string name : {"app1", "app2", "web01"}) expect_done({"delete", name, "--purge", "--yes"});
  EXPECT_TRUE(variables().empty());
  muster_on({"master", "remove", "gold", "--yes"});
}

}  // namespace
}  // namespace muster::e2e
