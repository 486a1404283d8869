// muster vm delete, undelete and trash on a real hypervisor: machines with snapshots, checkpoints and firmware
// variables, muster killed on the way, and images that others use. guest_life_test.cc has a guest that comes back.
#include <algorithm>
#include <filesystem>
#include <functional>

#include <signal.h>

#include "tests/e2e/on_hypervisor.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Words = std::vector<std::string>;

// One hypervisor for all; each test has machines of its own, and leaves none.
class Trash : public OnHypervisor {
 protected:
  static std::string uri() { return hypervisor().uri(); }

  // The machines in the trash, as `trash list --json` has them.
  std::vector<nlohmann::json> trash() const {
    auto lines = json_lines(vm({"trash", "list", "--json"}).out);
    lines.pop_back();
    return lines;
  }
  static std::string names() { return hypervisor().virsh({"list", "--all", "--name"}); }
  static std::string definition(const std::string& name) {
    std::string xml = hypervisor().virsh({"dumpxml", "--inactive", name});
    // libvirt leaves the empty element behind.
    const auto empty = xml.find("  <metadata/>\n");
    return empty == std::string::npos ? xml : xml.erase(empty, 14);
  }
  static std::string digest(const std::string& path) { return run({.argv = {"sha256sum", path}}).out; }
  // Files of UEFI variables, each a line of sha256sum.
  static Words variables() {
    const std::string all =
        run({.argv = hypervisor().inside({"sh", "-c", "cd /var/lib/libvirt/qemu/nvram && sha256sum *"})}).out;
    Words lines;
    for (std::size_t from = 0, end = 0; (end = all.find('\n', from)) != std::string::npos; from = end + 1)
      lines.push_back(all.substr(from, end - from));
    return lines;
  }
  void kill_at(const Words& steps, const std::function<std::string()>& facts) const;
  void remove_all() const {
    EXPECT_EQ(vm({"trash", "empty", "--older-than", "0s", "--yes", "-q"}).code, 0);
    EXPECT_EQ(names(), "");
    EXPECT_EQ(hypervisor().virsh({"pool-list", "--all", "--name"}), "") << "scratch pools stay";
  }
};

// A machine with firmware variables: a BIOS in the place of UEFI does for that.
std::string with_nvram(const Hypervisor& hypervisor, std::string xml) {
  const std::string firmware = hypervisor.directory() + "/firmware.fd", variables = hypervisor.directory() + "/vars.fd";
  fs::copy_file("/usr/share/seabios/bios-256k.bin", firmware, fs::copy_options::skip_existing);
  run({.argv = {"truncate", "-s", "128K", variables}});
  for (const auto& path : {firmware, variables}) fs::permissions(path, fs::perms(0644));
  const std::string os =
      "<loader readonly='yes' type='pflash'>" + firmware + "</loader><nvram template='" + variables + "'/>";
  return xml.insert(xml.find("<boot dev='hd'/>"), os);
}

TEST_F(Trash, AMachineComesBackAsItWas) {
  hypervisor().define_xml(
      with_nvram(hypervisor(), hypervisor().xml_of({.name = "web01", .virtio_disk = hypervisor().make_disk("web01")})));
  hypervisor().virsh({"start web01; checkpoint-create-as web01 c1; checkpoint-create-as web01 c2; autostart web01"});
  ASSERT_EQ(variables().size(), 1U);
  const std::string was = variables().front();
  const std::string before = definition("web01"), disk = hypervisor().directory() + "/web01.qcow2";
  const auto deleted = vm({"delete", "web01", "--yes", "--timeout", "0s"});
  EXPECT_EQ(deleted.code, 0) << told(deleted);
  EXPECT_TRUE(contains(deleted.out, "web01: in the trash until ")) << told(deleted);
  const std::string image = digest(disk);
  EXPECT_EQ(vm({"list", "-q"}).out, "");
  const auto held = trash();
  ASSERT_EQ(held.size(), 1U);
  EXPECT_EQ(held[0].value("name", ""), "web01");
  EXPECT_GT(held[0].value("held_bytes", 0), 0);
  EXPECT_EQ(held[0].value("unfinished", "?"), "");

  // Nothing of muster starts it, and its name is free.
  const auto started = vm({"start", "web01"});
  EXPECT_EQ(started.code, 5) << told(started);
  EXPECT_TRUE(contains(started.err, "undelete brings it back")) << told(started);
  const auto by_its_name = vm({"start", uri() + "#" + held[0].value("trash_name", "")});
  EXPECT_EQ(by_its_name.code, 5) << told(by_its_name);
  // The new one has variables of its own.
  hypervisor().define_xml(
      with_nvram(hypervisor(), hypervisor().xml_of({.name = "web01", .virtio_disk = hypervisor().make_disk("new")})));
  hypervisor().virsh({"start", "web01"});
  hypervisor().virsh({"destroy", "web01"});
  EXPECT_EQ(variables().size(), 2U);
  const auto taken = vm({"undelete", "web01"});
  EXPECT_EQ(taken.code, 5) << told(taken);
  EXPECT_TRUE(contains(taken.err, "another machine has the name 'web01' now")) << told(taken);
  EXPECT_EQ(vm({"delete", "web01", "--purge", "--yes"}).code, 0);
  EXPECT_FALSE(fs::exists(hypervisor().directory() + "/new.qcow2"));

  // Also for a libvirtd that was started again in between.
  hypervisor().restart();
  const auto back = vm({"undelete", "web01"});
  EXPECT_EQ(back.out, "web01: back, shut off; it was running when it was deleted\n") << told(back);
  EXPECT_EQ(definition("web01"), before);
  EXPECT_EQ(digest(disk), image);
  EXPECT_EQ(variables(), Words{was});
  EXPECT_TRUE(contains(hypervisor().virsh({"dominfo", "web01"}), "Autostart:      enable"));
  hypervisor().restart();
  EXPECT_EQ(hypervisor().virsh({"checkpoint-list", "web01", "--name", "--topological"}), "c1\nc2\n");
  hypervisor().virsh({"start", "web01"});
  hypervisor().virsh({"checkpoint-create-as", "web01", "c3"});  // the bitmaps are whole
  EXPECT_EQ(vm({"delete", "web01", "--purge", "--yes", "--timeout", "0s"}).code, 0);
  EXPECT_FALSE(fs::exists(disk));
  EXPECT_TRUE(variables().empty());
  remove_all();
}

// muster and its worker, at once.
void kill_all(const MusterProcess& process) {
  for (const pid_t pid : process_tree(process.pid())) ::kill(pid, SIGKILL);
}

// Kills the deletion of web01 when it tells of each of `steps`, ends it every second time, kills the way back, and
// ends that.
void Trash::kill_at(const Words& steps, const std::function<std::string()>& facts) const {
  const std::string before = definition("web01"), had = facts();
  bool finishes = true;
  for (const auto& step : steps) {
    MusterProcess killed(vm_command({"delete", "web01", "--yes", "--timeout", "1s", "-v"}));
    // The first finds it running: what is off by then is not shut down again.
    EXPECT_TRUE(killed.wait_for_error("web01: " + step) || contains(step, "shut-down")) << killed.err();
    kill_all(killed);
    killed.finish();
    ASSERT_EQ(trash().size(), 1U) << step << ": it is found, whatever was done";
    if (finishes) {
      EXPECT_EQ(vm({"delete", "web01", "--yes", "--timeout", "0s"}).code, 0) << step;
      EXPECT_EQ(trash().at(0).value("unfinished", "?"), "") << step;
    }
    MusterProcess half(vm_command({"undelete", "web01", "-v"}));
    half.wait_for_error(finishes ? "web01: unregister" : "web01: " + step.substr(0, step.find(':')));
    kill_all(half);
    half.finish();
    const auto back = vm({"undelete", "web01"});
    EXPECT_TRUE(back.code == 0 || contains(back.err, "is not in the trash")) << told(back);
    EXPECT_TRUE(back.code != 0 || contains(back.out, "back, " + hypervisor().state("web01"))) << told(back);
    EXPECT_TRUE(trash().empty()) << step;
    EXPECT_EQ(facts(), had) << step;
    EXPECT_EQ(definition("web01"), before) << step;
    finishes = !finishes;
  }
  EXPECT_EQ(vm({"delete", "web01", "--purge", "--yes", "--timeout", "0s"}).code, 0);
  EXPECT_TRUE(variables().empty());
  remove_all();
}

TEST_F(Trash, KilledAtAnyStepItCanBeEndedAndUndone) {
  hypervisor().define({.name = "web01"});
  hypervisor().virsh({"start web01; snapshot-create-as web01 s1; snapshot-create-as web01 s2; autostart web01"});
  kill_at({"shut-down: ask", "shut-down: done", "autostart: switch", "autostart: done", "snapshots: write",
           "snapshots: done", "unregister: name", "unregister: done"},
          [] {
            return hypervisor().virsh({"snapshot-list", "web01", "--name", "--topological"}) +
                   hypervisor().virsh({"snapshot-current", "web01", "--name"});
          });
}

TEST_F(Trash, KilledWithCheckpointsAndVariablesItCanBeEndedAndUndone) {
  hypervisor().define_xml(
      with_nvram(hypervisor(), hypervisor().xml_of({.name = "web01", .virtio_disk = hypervisor().make_disk("web01")})));
  hypervisor().virsh({"start web01; checkpoint-create-as web01 c1; checkpoint-create-as web01 c2; destroy web01"});
  kill_at({"checkpoints: write", "checkpoints: done", "firmware: name", "firmware: done"}, [] {
    return hypervisor().virsh({"checkpoint-list", "web01", "--name", "--topological"}) + variables().at(0);
  });
}

// An overlay of `on`, which it names as written.
std::string overlay(const std::string& path, const std::string& on) {
  run({.argv = {"qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", on, path}});
  return path;
}

TEST_F(Trash, AnImageThatSomebodyElseUsesStays) {
  const std::string base = hypervisor().make_disk("gold"), directory = hypervisor().directory();
  hypervisor().define({.name = "gold", .virtio_disk = base});
  const std::string clone = overlay(directory + "/clone.qcow2", base);
  hypervisor().define({.name = "clone", .virtio_disk = clone});
  const auto refused = vm({"delete", "gold", "--purge", "--yes"});
  EXPECT_EQ(refused.code, 5) << told(refused);
  EXPECT_TRUE(contains(refused.err, "gold.qcow2 of 'gold' is used by domain 'clone'")) << told(refused);

  // A clone that goes leaves what it is built on.
  EXPECT_TRUE(contains(vm({"delete", "clone", "--purge", "--yes"}).out, "kept " + base + " (under it"));
  EXPECT_FALSE(fs::exists(clone));
  ASSERT_TRUE(fs::exists(base));

  // An image of nobody's counts as well, and so does another path of the same file.
  overlay(directory + "/loose.qcow2", base);
  EXPECT_TRUE(contains(vm({"delete", "gold", "--purge", "--yes"}).err, "used by image " + directory + "/loose.qcow2"));
  fs::remove(directory + "/loose.qcow2");
  fs::create_directory(directory + "/links");
  fs::create_symlink(base, directory + "/links/other.qcow2");
  hypervisor().define({.name = "linked", .virtio_disk = directory + "/links/other.qcow2"});
  EXPECT_TRUE(contains(vm({"delete", "gold", "--purge", "--yes"}).err, "used by domain 'linked'"));

  // Into the trash it goes as it is; there it is held as well.
  EXPECT_EQ(vm({"delete", "linked", "--yes"}).code, 0);
  EXPECT_EQ(vm({"delete", "gold", "--purge", "--yes"}).code, 5);
  EXPECT_EQ(vm({"delete", "gold", "--yes"}).code, 0);
  EXPECT_EQ(vm({"delete", "linked", "--purge", "--keep-disks", "--yes"}).code, 0);
  EXPECT_TRUE(fs::exists(base));
  remove_all();
  EXPECT_FALSE(fs::exists(base));
}

TEST_F(Trash, AnImageUnderAnotherNameIsFoundOut) {
  const std::string directory = hypervisor().directory(), gold = hypervisor().make_disk("gold");
  hypervisor().define({.name = "gold", .virtio_disk = gold});
  const auto expect_refused = [&](const std::string& because) {
    const auto refused = vm({"delete", "gold", "--purge", "--yes"});
    EXPECT_EQ(refused.code, 5) << told(refused);
    EXPECT_TRUE(contains(refused.err, because)) << told(refused);
    ASSERT_TRUE(fs::exists(gold)) << because;
  };
  // The same path, written otherwise.
  hypervisor().define({.name = "twin", .virtio_disk = directory + "//gold.qcow2"});
  expect_refused("is used by domain 'twin'");
  hypervisor().virsh({"undefine", "twin"});

  // A link of another name, and one that only the header of an image knows, in a directory that is nobody's.
  fs::create_directory(directory + "/names");
  fs::create_hard_link(gold, directory + "/names/other.qcow2");
  hypervisor().define({.name = "twin", .virtio_disk = directory + "/names/other.qcow2"});
  expect_refused("is used by domain 'twin' as " + directory + "/names/other.qcow2");
  hypervisor().virsh({"undefine", "twin"});
  fs::remove(directory + "/names/other.qcow2");
  fs::create_symlink(gold, directory + "/names/link.qcow2");
  hypervisor().define(
      {.name = "clone", .virtio_disk = overlay(directory + "/clone.qcow2", directory + "/names/link.qcow2")});
  expect_refused("is used by domain 'clone'");

  // One whose storage is away, and whose header nobody can read.
  fs::rename(directory + "/clone.qcow2", directory + "/names/away");
  expect_refused("domain 'clone' has " + directory + "/clone.qcow2, which is not there");
  fs::rename(directory + "/names/away", directory + "/clone.qcow2");
  hypervisor().virsh({"undefine", "clone"});
  fs::remove(directory + "/clone.qcow2");

  // A volume of a pool that is not active.
  hypervisor().virsh({"pool-define-as images dir --target " + directory + "; pool-start images"});
  std::string xml = hypervisor().xml_of({.name = "twin", .virtio_disk = gold});
  xml.replace(xml.find("<disk type='file'"), 17, "<disk type='volume'");
  const std::string source = "<source file='" + gold + "'/>";
  xml.replace(xml.find(source), source.size(), "<source pool='images' volume='gold.qcow2'/>");
  hypervisor().define_xml(xml);
  expect_refused("is used by domain 'twin'");
  hypervisor().virsh({"pool-destroy", "images"});
  expect_refused("domain 'twin' has the volume images/gold.qcow2");
  hypervisor().virsh({"undefine twin; pool-undefine images"});
  EXPECT_EQ(vm({"delete", "gold", "--purge", "--yes"}).code, 0);
  remove_all();
}

TEST_F(Trash, WhatSnapshotsOnlySawUnderAMachineStays) {
  const std::string directory = hypervisor().directory(), gold = hypervisor().make_disk("gold");
  std::string xml = hypervisor().xml_of({.name = "web01", .virtio_disk = overlay(directory + "/web01.qcow2", gold)});
  // Both kinds, of a definition that tells of the whole chain, and so do they.
  const std::string below =
      "<backingStore type='file'><format type='qcow2'/><source file='" + gold + "'/><backingStore/></backingStore>";
  hypervisor().define_xml(xml.insert(xml.find("<target dev='vda'"), below));
  hypervisor().virsh(
      {"start web01; snapshot-create-as web01 inside; snapshot-create-as web01 outside --disk-only; "
       "destroy web01"});
  const auto purged = vm({"delete", "web01", "--purge", "--yes"});
  EXPECT_EQ(purged.code, 0) << told(purged);
  EXPECT_TRUE(contains(purged.out, "kept " + gold)) << told(purged);
  EXPECT_TRUE(fs::exists(gold));
  EXPECT_FALSE(fs::exists(directory + "/web01.qcow2") || fs::exists(directory + "/web01.outside"));
  fs::remove(gold);
  remove_all();
}

TEST_F(Trash, ACloneOfWhatIsInTheTrashIsNotLetGoWithIt) {
  hypervisor().define({.name = "web01"});
  EXPECT_EQ(vm({"delete", "web01", "--expire", "0s", "--yes"}).code, 0);
  std::string xml = definition(trash().at(0).value("trash_name", ""));
  const auto replace = [&](const std::string& from, const std::string& to, const std::string& with) {
    const auto begin = xml.find(from);
    xml.replace(begin, xml.find(to, begin) - begin, with);
  };
  replace("<name>", "</name>", "<name>web02");
  replace("<uuid>", "</uuid>", "<uuid>99999999-1111-4222-8333-444444444444");
  const std::string disk = hypervisor().make_disk("web02");
  replace("<source file=", "/>", "<source file='" + disk + "'");
  hypervisor().define_xml(xml);
  hypervisor().virsh({"start", "web02"});
  EXPECT_EQ(trash().size(), 1U);
  EXPECT_EQ(vm({"trash", "empty", "--yes", "--expect", "1"}).code, 0);
  EXPECT_EQ(hypervisor().state("web02"), "running");
  EXPECT_TRUE(fs::exists(disk));
  EXPECT_EQ(vm({"delete", "web02", "--purge", "--yes", "--timeout", "0s"}).code, 0);
  remove_all();
}

TEST_F(Trash, WhatSnapshotsPutUnderAMachineGoesWithIt) {
  hypervisor().define({.name = "web01", .virtio_disk = hypervisor().make_disk("web01")});
  hypervisor().virsh({"start web01; snapshot-create-as web01 before --disk-only; destroy web01"});
  const std::string top = hypervisor().directory() + "/web01.before", below = hypervisor().directory() + "/web01.qcow2";
  ASSERT_TRUE(fs::exists(top));
  EXPECT_EQ(vm({"delete", "web01", "--yes"}).code, 0);
  ASSERT_TRUE(fs::exists(top) && fs::exists(below));
  remove_all();
  EXPECT_FALSE(fs::exists(top) || fs::exists(below));
}

TEST_F(Trash, OnlyWhatHasExpiredIsLetGo) {
  hypervisor().define(std::vector<NoOsDomain>{{.name = "old1"}, {.name = "old2"}, {.name = "fresh"}});
  const auto many = vm({"delete", "old*"});
  EXPECT_EQ(many.code, 5) << told(many);
  EXPECT_TRUE(contains(many.err, "2 machines match: say --expect 2, or --yes")) << told(many);
  EXPECT_EQ(vm({"delete", "old*", "--expect", "2"}).code, 5) << "and nobody said yes";
  EXPECT_EQ(vm({"delete", "old*", "--expect", "2", "--expire", "0s", "--yes"}).code, 0);
  EXPECT_EQ(vm({"delete", "fresh", "--yes"}).code, 0);
  const auto listed = vm({"trash", "list", "-q"});
  EXPECT_TRUE(contains(listed.out, "expired") && contains(listed.out, "kept")) << told(listed);
  EXPECT_EQ(vm({"trash", "empty"}).code, 5) << "nobody said yes";
  EXPECT_EQ(vm({"trash", "empty", "--yes", "--expect", "3"}).code, 5);
  const auto plan = vm({"trash", "empty", "--dry-run"});
  EXPECT_TRUE(contains(plan.out, "old1: for good on ") && contains(plan.out, "old1.qcow2")) << told(plan);
  EXPECT_EQ(trash().size(), 3U);
  EXPECT_EQ(vm({"trash", "empty", "--yes"}).code, 0);
  ASSERT_EQ(trash().size(), 1U);
  EXPECT_EQ(trash()[0].value("name", ""), "fresh");
  EXPECT_FALSE(fs::exists(hypervisor().directory() + "/old1.qcow2"));
  EXPECT_TRUE(fs::exists(hypervisor().directory() + "/fresh.qcow2"));
  EXPECT_EQ(vm({"trash", "empty", "--yes"}).code, 0) << "nothing is due";
  remove_all();
}

TEST_F(Trash, WhatWouldLoseSomethingIsRefused) {
  hypervisor().define({.name = "web01"});
  Launch bare = vm_command({"delete", "web01", "--yes"});
  bare.argv.resize(bare.argv.size() - 2);
  EXPECT_EQ(run(bare).code, 2) << "a bare name";
  EXPECT_EQ(vm({"delete", "nobody", "--yes"}).code, 2);
  EXPECT_EQ(vm({"undelete", "web01"}).code, 2) << "it is not in the trash";
  EXPECT_EQ(vm({"delete", "web01", "--yes", "--skip", "unregister"}).code, 2);
  hypervisor().virsh({"start", "web01"});
  EXPECT_EQ(vm({"delete", "web01", "--yes", "--skip", "shut-down"}).code, 5);
  hypervisor().virsh({"managedsave", "web01"});
  const auto saved = vm({"delete", "web01", "--yes"});
  EXPECT_EQ(saved.code, 5) << told(saved);
  EXPECT_TRUE(contains(saved.err, "--discard-saved")) << told(saved);
  EXPECT_TRUE(trash().empty());
  EXPECT_EQ(vm({"delete", "web01", "--yes", "--discard-saved"}).code, 0);
  remove_all();
}

TEST_F(Trash, FullStorageTellsWhatTheTrashHolds) {
  hypervisor().define(std::vector<NoOsDomain>{{.name = "old"}, {.name = "web01"}});
  EXPECT_EQ(vm({"delete", "old", "--yes"}).code, 0);
  const Words mount{"mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/var/lib/libvirt/qemu/save"};
  ASSERT_EQ(run({.argv = hypervisor().inside(mount)}).code, 0);
  hypervisor().virsh({"start", "web01"});
  const auto full = vm({"save", "web01"});
  EXPECT_EQ(full.code, 14) << told(full);
  EXPECT_TRUE(contains(full.err, "1 in the trash hold ")) << told(full);
  run({.argv = hypervisor().inside({"umount", "/var/lib/libvirt/qemu/save"})});
  EXPECT_EQ(vm({"delete", "web01", "--yes", "--purge", "--timeout", "0s"}).code, 0);
  remove_all();
}

TEST_F(Trash, ADriverThatCannotRenameHasNone) {
  const std::string domain = file("container.xml");
  write(domain,
        "<domain type='lxc'><name>c1</name><memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type>exe</type>"
        "<init>/bin/sleep</init></os><devices><console type='pty'/></devices></domain>");
  ASSERT_EQ(run({.argv = {"virsh", "-q", "-c", hypervisor().lxc_uri(), "define", domain}}).code, 0);
  const std::string name = hypervisor().lxc_uri() + "#c1";
  const auto refused = vm({"delete", name, "--yes"});
  EXPECT_EQ(refused.code, 4) << told(refused);
  EXPECT_TRUE(contains(refused.err, "--purge is for good")) << told(refused);
  const auto purged = vm({"delete", name, "--yes", "--purge"});
  EXPECT_EQ(purged.code, 0) << told(purged);
}

}  // namespace
}  // namespace muster::e2e
