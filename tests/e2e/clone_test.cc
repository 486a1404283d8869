// muster master and muster clone against a real libvirtd, without guests: what is made, what is refused, what a second
// run makes of it. clone_guest_test.cc has what guests see.
#include <set>

#include <sys/stat.h>

#include "base/unique_fd.h"
#include "tests/e2e/clone_fixture.h"

namespace muster::e2e {
namespace {

using nlohmann::json;

class Masters : public CloneFixture {};
class Clones : public CloneFixture {};

mode_t mode_of(const std::string& path) {
  struct stat seen {};
  EXPECT_EQ(::stat(path.c_str(), &seen), 0) << path;
  return seen.st_mode & 07777U;
}

std::string backing_of(const std::string& path) {
  const auto done = run({.argv = {"qemu-img", "info", "-U", "--output=json", path}});
  return json::parse(done.out).value("full-backing-filename", "");
}

TEST_F(Masters, AnImageIsSealedWhereItIs) {
  make_master("web");
  EXPECT_EQ(mode_of(image("gold.qcow2")), 0444U);
  const auto claim = json::parse(read(image("gold.qcow2.muster-claim")));
  EXPECT_TRUE(contains(claim.value("holder", ""), "generation 1 of the master 'web'"));
  const auto masters = results({"master", "list"});
  ASSERT_EQ(masters.size(), 1U);
  EXPECT_EQ(masters[0].value("master", ""), "web");
  EXPECT_EQ(masters[0]["images"][0].value("sha256", "").size(), 64U);
  EXPECT_EQ(must_here({"master", "list", "--names"}), "web\n");
  // Again it is found sealed.
  EXPECT_TRUE(contains(must_here({"master", "seal", "images/gold.qcow2", "--name", "web"}), "already"));
}

TEST_F(Masters, AMachineIsSealedAndDoesNotStartAnyMore) {
  make_image("disk.qcow2");
  must_here({"vm", "create", "gold", "--disk", "backing=images/disk.qcow2", "--network", "user"});
  const auto unsealed_base = here({"master", "seal", "gold", "--name", "web"});
  EXPECT_EQ(unsealed_base.code, 5) << told(unsealed_base);
  EXPECT_TRUE(contains(unsealed_base.err, "is built on"));
  must_here({"master", "seal", "gold", "--name", "web", "--copy"});
  EXPECT_EQ(backing_of(image("web-g1-vda.qcow2")), "") << "a copy stands alone";
  must_here({"vm", "start", "gold"});
  const auto running = here({"master", "seal", "gold", "--name", "other"});
  EXPECT_EQ(running.code, 5) << told(running);
  must_here({"vm", "stop", "gold", "--timeout", "0s"});

  must_here({"vm", "create", "alone", "--disk", "from=images/disk.qcow2", "--network", "user"});
  must_here({"master", "seal", "alone", "--name", "alone"});
  for (const Words& words :
       {Words{"vm", "start", "alone"}, Words{"vm", "delete", "alone", "--yes"},
        Words{"vm", "delete", "alone", "--purge", "--yes"}, Words{"vm", "snapshot", "create", "alone", "s1"},
        Words{"vm", "attach", "gold", "disk=" + image("alone-vda.qcow2")}}) {
    const auto refused = here(words);
    EXPECT_EQ(refused.code, 5) << words[1] << ": " << told(refused);
    EXPECT_TRUE(contains(refused.err, "master 'alone'")) << told(refused);
  }
  must_here({"master", "remove", "alone", "--yes"});
  EXPECT_EQ(mode_of(image("alone-vda.qcow2")) & 0200U, 0200U) << "what was there before may change again";
  must_here({"vm", "start", "alone"});
}

TEST_F(Masters, OneThatIsNeededStays) {
  make_master("web");
  must_here({"clone", "create", "web", "web[1-2]", "--linked", "--network", "user"});
  const auto refused = here({"master", "remove", "web", "--yes"});
  EXPECT_EQ(refused.code, 5) << told(refused);
  EXPECT_TRUE(contains(refused.err, "domain 'web1'") && contains(refused.err, "domain 'web2'")) << told(refused);
  EXPECT_EQ(results({"master", "list"})[0]["dependants"].size(), 2U);
  must_here({"clone", "flatten", "web1"});
  must_here({"vm", "delete", "web2", "--purge", "--yes"});
  EXPECT_EQ(backing_of(image("web1-vda.qcow2")), "");
  must_here({"master", "remove", "web", "--yes"});
  EXPECT_TRUE(results({"master", "list"}).empty());
  EXPECT_TRUE(std::filesystem::exists(image("gold.qcow2"))) << "it was there before";
}

TEST_F(Masters, WhatWasChangedBehindOurBackIsNotCloned) {
  make_master("web");
  must({"chmod", "u+w", image("gold.qcow2")});
  must({"qemu-io", "-f", "qcow2", "-c", "write -P 0x11 2M 64k", image("gold.qcow2")});
  const auto refused = here({"clone", "create", "web", "web1", "--network", "user"});
  EXPECT_EQ(refused.code, 13) << told(refused);
  EXPECT_TRUE(contains(refused.err, "is not what was sealed")) << told(refused);
  EXPECT_TRUE(names_of(virsh({"list", "--all", "--name"})).empty());
}

TEST_F(Masters, OneThatWasChangedKeepsItsClaimWhateverIsTried) {
  make_master("web");
  must_here({"clone", "create", "web", "web1", "--linked", "--network", "user"});
  must({"chmod", "u+w", image("gold.qcow2")});
  must({"qemu-io", "-f", "qcow2", "-c", "write -P 0x11 2M 64k", image("gold.qcow2")});
  const auto again = here({"master", "seal", "images/gold.qcow2", "--name", "web"});
  EXPECT_EQ(again.code, 13) << told(again);
  EXPECT_TRUE(std::filesystem::exists(image("gold.qcow2.muster-claim"))) << "its clones need it still";
  EXPECT_EQ(here({"master", "remove", "web", "--yes"}).code, 5);
}

TEST_F(Masters, WhatIsNotTheMastersStaysWhenItsEditGoes) {
  make_master("web");
  must_here({"master", "edit", "web"});
  make_image("web-gui.qcow2");
  must_here({"vm", "attach", "web-edit", "disk=" + image("web-gui.qcow2")});
  must_here({"master", "edit", "web", "--abandon", "--yes"});
  EXPECT_TRUE(std::filesystem::exists(image("web-gui.qcow2")));
  EXPECT_FALSE(std::filesystem::exists(image("web-g2-vda.qcow2")));
}

TEST_F(Masters, AreEditedInGenerations) {
  make_master("web");
  must_here({"clone", "create", "web", "old", "--linked", "--network", "user"});
  must_here({"master", "edit", "web"});
  EXPECT_EQ(backing_of(image("web-g2-vda.qcow2")), image("gold.qcow2"));
  const auto again = must_here({"master", "edit", "web"});
  EXPECT_TRUE(contains(again, "is being edited in web-edit"));
  must({"qemu-io", "-f", "qcow2", "-c", "write -P 0x22 5M 64k", image("web-g2-vda.qcow2")});
  must_here({"vm", "start", "web-edit"});
  EXPECT_EQ(here({"master", "edit", "web", "--promote"}).code, 5) << "it runs";
  must_here({"vm", "stop", "web-edit", "--timeout", "0s"});
  must_here({"master", "edit", "web", "--promote"});
  EXPECT_EQ(mode_of(image("web-g2-vda.qcow2")), 0444U);
  EXPECT_FALSE(contains(virsh({"list", "--all", "--name"}), "web-edit"));
  must_here({"clone", "create", "web", "new", "--linked", "--network", "user"});
  EXPECT_EQ(backing_of(image("new-vda.qcow2")), image("web-g2-vda.qcow2")) << "of the newest";
  must_here({"clone", "create", "web@1", "older", "--linked", "--network", "user"});
  EXPECT_EQ(backing_of(image("older-vda.qcow2")), image("gold.qcow2"));
  EXPECT_EQ(here({"master", "remove", "web@1", "--yes"}).code, 5) << "the second is built on it";

  must_here({"master", "edit", "web"});
  must_here({"master", "edit", "web", "--promote", "--flatten"});
  EXPECT_EQ(backing_of(image("web-g3-vda.qcow2")), "") << "it stands alone";
  must_here({"master", "edit", "web"});
  must_here({"master", "edit", "web", "--abandon", "--yes"});
  EXPECT_FALSE(std::filesystem::exists(image("web-g4-vda.qcow2")));
  EXPECT_EQ(results({"master", "list"}).size(), 3U);
}

// What no two machines may have in common, as their definitions have it.
std::set<std::string> identities(const std::string& xml) {
  std::set<std::string> found;
  for (const auto& [begin, end] : std::vector<std::pair<std::string, std::string>>{
           {"<uuid>", "<"}, {"<mac address='", "'"}, {"<genid>", "<"}, {"source file='", "'"}, {"<serial>", "<"}})
    for (std::size_t at = xml.find(begin); at != std::string::npos; at = xml.find(begin, at + 1)) {
      const std::size_t from = at + begin.size();
      found.insert(begin + xml.substr(from, xml.find(end, from) - from));
    }
  return found;
}

TEST_F(Clones, HaveNothingInCommonThatIsOnlyOnes) {
  make_image("disk.qcow2");
  must_here({"vm", "create", "gold", "--disk", "from=images/disk.qcow2", "--network", "user", "--network", "user"});
  std::string xml = definition("gold");
  xml.replace(xml.find("<memory "), 0, "<genid>7c1bf7d0-4b61-4b0b-9d0e-0c5a5d6f3a11</genid>");
  xml.replace(xml.find("<target dev='vda'"), 0, "<serial>gold-disk</serial>");
  write(file("gold.xml"), xml);
  virsh({"define", file("gold.xml")});
  must_here({"master", "seal", "gold", "--name", "web"});
  must_here({"clone", "create", "web", "web[01-20]", "--linked"});
  std::set<std::string> all = identities(definition("gold"));
  std::size_t count = all.size();
  EXPECT_GE(count, 6U) << xml;
  for (const auto& name : names_of(virsh({"list", "--all", "--name"}))) {
    if (name == "gold") continue;
    const auto own = identities(definition(name));
    EXPECT_EQ(own.size(), count + 1) << name << " has a seed beside it";
    for (const auto& one : own) EXPECT_TRUE(all.insert(one).second) << name << " shares " << one;
  }
  EXPECT_EQ(all.size(), count + 20 * (count + 1));
}

TEST_F(Clones, ASecondRunMakesWhatIsMissing) {
  make_master("web");
  const Words create{"clone", "create", "web", "web[1-3]", "--network", "user"};
  must_here(create);
  must_here({"vm", "delete", "web2", "--purge", "--yes"});
  const std::string first = definition("web1");
  std::set<std::string> made;
  for (const auto& result : results(create))
    if (result.value("made", false)) made.insert(result.value("name", ""));
  EXPECT_EQ(made, std::set<std::string>{"web2"});
  EXPECT_EQ(definition("web1"), first);
}

TEST_F(Clones, ADryRunMakesNothing) {
  make_master("web");
  const std::string before = listing(hypervisor().directory());
  const auto plans = results({"clone", "create", "web", "web[1-3]", "--network", "user", "--dry-run"});
  ASSERT_EQ(plans.size(), 3U);
  EXPECT_EQ(plans[0].value("plan", ""), "create");
  EXPECT_TRUE(contains(plans[0].value("xml", ""), "<domain"));
  EXPECT_FALSE(plans[0].contains("making")) << "no secrets of a seed";
  EXPECT_EQ(listing(hypervisor().directory()), before);
  EXPECT_TRUE(names_of(virsh({"list", "--all", "--name"})).empty());
}

TEST_F(Clones, ClashesAreFoundBeforeAnythingIsMade) {
  make_master("web");
  must_here({"vm", "create", "web2", "--disk", "1M", "--network", "user"});
  const auto name = here({"clone", "create", "web", "web[1-3]", "--network", "user"});
  EXPECT_EQ(name.code, 5) << told(name);
  EXPECT_TRUE(contains(name.err, "'web2' is there already")) << told(name);
  write(image("app1-vda.qcow2"), "somebody's");
  const auto volume = here({"clone", "create", "web", "app[1-3]", "--network", "user", "--linked"});
  EXPECT_EQ(volume.code, 5) << told(volume);
  EXPECT_TRUE(contains(volume.err, "app1-vda.qcow2")) << told(volume);
  EXPECT_EQ(read(image("app1-vda.qcow2")), "somebody's");
  for (const Words& words :
       {Words{"clone", "create", "web", "a b"}, Words{"clone", "create", "web", "x", "x"},
        Words{"clone", "create", "web", "x", "--linked", "--full"},
        Words{"clone", "create", "web", "x", "--address", "10.0.0.1"},
        Words{"clone", "create", "web", "x[1-2]", "--address", "10.0.0.1/24"},
        Words{"clone", "create", "web", "x", "--mac-prefix", "53:54"},
        Words{"clone", "create", "web", "x", "--size", "1M"}, Words{"clone", "create", "web", "x", "--group", "g"}})
    EXPECT_EQ(here(words).code, 2) << words[3];
  const auto unknown = here({"clone", "create", "nobody", "x"});
  EXPECT_TRUE(contains(unknown.err, "no master 'nobody'") && contains(unknown.err, "web")) << told(unknown);
  EXPECT_EQ(names_of(virsh({"list", "--all", "--name"})), Words{"web2"});
}

TEST_F(Clones, AreOfTheKindThatWasAskedFor) {
  make_master("web");
  must_here({"clone", "create", "web", "linked", "--linked", "--network", "user"});
  must_here({"clone", "create", "web", "full", "--full", "--size", "128M", "--cpus", "2", "--memory", "256M",
             "--network", "user"});
  EXPECT_EQ(backing_of(image("linked-vda.qcow2")), image("gold.qcow2"));
  EXPECT_EQ(backing_of(image("full-vda.qcow2")), "");
  EXPECT_TRUE(contains(run({.argv = {"qemu-img", "info", "--output=json", image("full-vda.qcow2")}}).out, "134217728"));
  EXPECT_EQ(run({.argv = {"qemu-io", "-r", "-f", "qcow2", "-c", "read -P 0x5a 1M 2M", image("full-vda.qcow2")}}).code,
            0);
  const std::string xml = definition("full");
  EXPECT_TRUE(contains(xml, ">2</vcpu>") && contains(xml, "<memory unit='KiB'>262144</memory>")) << xml;
  std::map<std::string, std::string> kinds;
  for (const auto& clone : results({"clone", "list"})) kinds[clone.value("name", "")] = clone.value("kind", "");
  EXPECT_EQ(kinds, (std::map<std::string, std::string>{{"full", "full"}, {"linked", "linked"}}));
}

TEST_F(Clones, TheSeedSaysWhoTheyAre) {
  make_master("web");
  write(file("key.pub"), key().public_line + "\n");
  write(file("user-data"), "#!/bin/sh\necho hello\n");
  must_here({"clone", "create", "web", "web[1-2]", "--network", "user", "--ssh-key", file("key.pub"), "--user-data",
             file("user-data"), "--address", "10.9.8.[11-12]/24", "--gateway", "10.9.8.1", "--dns", "10.9.8.2"});
  const auto content = [&](const std::string& name) {
    return run({.argv = {"bsdtar", "-xOf", image("web2-seed.iso"), name}}).out;
  };
  EXPECT_TRUE(contains(content("meta-data"), "local-hostname: 'web2'"));
  EXPECT_TRUE(contains(content("network-config"), "10.9.8.12/24") && contains(content("network-config"), "10.9.8.2"));
  EXPECT_TRUE(contains(content("user-data"), "multipart/mixed"));
  EXPECT_EQ(mode_of(image("web2-seed.iso")) & 077U, 0U) << "it may hold secrets";
  must_here({"vm", "delete", "web2", "--purge", "--yes"});
  EXPECT_FALSE(std::filesystem::exists(image("web2-seed.iso"))) << "it goes with its machine";
}

TEST_F(Clones, WhatDoesNotFitLeavesNothing) {
  std::filesystem::create_directory(image("small"));
  must(hypervisor().inside({"mount", "-t", "tmpfs", "-o", "size=1m", "small", image("small")}));
  hypervisor().virsh({"pool-create-as", "small", "dir", "--target", image("small")});
  make_master("web");
  const auto at_once = here({"clone", "create", "web", "web1", "--full", "--pool", "small", "--network", "user"});
  EXPECT_EQ(at_once.code, 14) << told(at_once);
  EXPECT_TRUE(names_of(virsh({"list", "--all", "--name"})).empty());
  // An overlay and a seed take half a MiB.
  const auto late =
      here({"clone", "create", "web", "web[1-4]", "--linked", "--pool", "small", "--network", "user", "--fanout", "1"});
  EXPECT_EQ(late.code, 3) << told(late);
  EXPECT_TRUE(contains(late.err, "No space left") && contains(late.err, "pool 'small' has ")) << told(late);
  const auto machines = names_of(virsh({"list", "--all", "--name"}));
  EXPECT_GE(machines.size(), 1U);
  EXPECT_LT(machines.size(), 4U);
  const std::string volumes = hypervisor().virsh({"vol-list", "small"});
  EXPECT_EQ(names_of(volumes).size(), 2 * machines.size()) << volumes;
  hypervisor().virsh({"pool-destroy", "small"});
  must(hypervisor().inside({"umount", image("small")}));
}

TEST_F(Clones, AreWrittenIntoTheInventoryAndNothingElseIs) {
  make_master("web");
  const std::string text = "# ours\nall:\n  hosts:\n    db1:   # the old one\n      address: 10.0.0.9\n";
  write(file("fleet.yaml"), text);
  const auto done = run(on({"clone", "create", "web", "web[1-2]", "--network", "user", "-i", file("fleet.yaml"), "--on",
                            hypervisor().uri(), "--group", "web", "--var", "role=front end"},
                           hypervisor().uri()));
  EXPECT_EQ(done.code, 0) << told(done);
  const std::string after = read(file("fleet.yaml"));
  EXPECT_TRUE(after.starts_with(text)) << after;
  EXPECT_EQ(run({.argv = {program("muster"), "inventory", "list", "web", "-i", file("fleet.yaml")}}).out.size(), 10U);
  EXPECT_TRUE(contains(after, "role: front end")) << after;
  // Nobody gets an address that somebody has.
  const auto clash = run(on({"clone", "create", "web", "app[1-2]", "--network", "user", "-i", file("fleet.yaml"),
                             "--on", hypervisor().uri(), "--address", "10.0.0.[8-9]/24"},
                            hypervisor().uri()));
  EXPECT_EQ(clash.code, 5) << told(clash);
  EXPECT_TRUE(contains(clash.err, "10.0.0.9, which 'db1' has")) << told(clash);
  EXPECT_EQ(read(file("fleet.yaml")), after);
}

TEST_F(Clones, AKeyThatIsGivenToOneIsRootsAloneAndGoesWithIt) {
  make_master("web");
  const auto made = results({"clone", "create", "web", "web1", "--seed-host-key"});
  ASSERT_EQ(made.size(), 1U);
  const std::string seed = image("web1-key.iso");
  EXPECT_EQ(std::filesystem::status(seed).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_TRUE(contains(read(seed), "PRIVATE KEY"));
  EXPECT_FALSE(contains(made[0].dump() + definition("web1") + read(image("web1-seed.iso")), "PRIVATE KEY"));
  EXPECT_TRUE(contains(virsh({"domblklist", "web1"}), seed));
  const auto scanned = results({"key", "scan", "web1", "--via", "hypervisor", "--dry-run"});
  ASSERT_EQ(scanned.size(), 1U);
  EXPECT_EQ(scanned[0].value("heard_by", ""), "seed");
  must_here({"vm", "delete", "web1", "--purge", "--yes"});
  EXPECT_FALSE(std::filesystem::exists(seed) || std::filesystem::exists(image("web1-seed.iso")));
  EXPECT_EQ(here({"master", "remove", "web", "--yes"}).code, 0);
}

// What an emulated TPM keeps lies on the hypervisor, and is read and written by a muster there.
class CloneTpm : public CloneFixture {
 protected:
  void SetUp() override {
    CloneFixture::SetUp();
    if (IsSkipped()) return;
    if (!std::filesystem::exists("/usr/bin/swtpm")) GTEST_SKIP() << "swtpm is not installed";
    std::string xml = hypervisor().xml_of({.name = "tpm01", .virtio_disk = hypervisor().make_disk("tpm01", "1M")});
    xml.insert(xml.find("</devices>"), "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>");
    hypervisor().define_xml(xml);
    virsh({"pool-refresh", "images"});
  }
  Finished at_home(Words words) const {
    words.insert(words.begin(), program("muster"));
    words.insert(words.end(), {"-c", "qemu:///system", "-q"});
    return run({.argv = hypervisor().inside(in_clean_environment(words, {"HOME=" + home(), "TMPDIR=" + file("tmp")}))});
  }
  static std::string state_of(const std::string& name) {
    std::string owner = virsh({"domuuid", name});
    owner.resize(owner.find('\n'));
    return hypervisor().directory() + "/../lib/swtpm/" + owner + "/tpm2/tpm2-00.permall";
  }
};

TEST_F(CloneTpm, BeginsAsTheMastersOnlyWhereThatWasKept) {
  const auto early = at_home({"master", "seal", "tpm01", "--name", "gold", "--keep-tpm"});
  EXPECT_EQ(early.code, 2) << told(early);
  virsh({"start", "tpm01"});
  virsh({"destroy", "tpm01"});
  const std::string state = read(state_of("tpm01"));
  ASSERT_FALSE(state.empty());
  for (const auto& [name, words] : {std::pair{"gold", Words{"--keep-tpm"}}, {"plain", Words{}}}) {
    Words seal{"master", "seal", "tpm01", "--name", name, "--copy"};
    seal.insert(seal.end(), words.begin(), words.end());
    const auto sealed = at_home(seal);
    ASSERT_EQ(sealed.code, 0) << told(sealed);
    const auto made = at_home({"clone", "create", name, std::string(name) + "1"});
    ASSERT_EQ(made.code, 0) << told(made);
  }
  EXPECT_TRUE(read(state_of("gold1")) == state);
  EXPECT_FALSE(std::filesystem::exists(state_of("plain1")));
  virsh({"start", "gold1"});
  EXPECT_EQ(hypervisor().state("gold1"), "running");
  // The secrets are root's alone.
  EXPECT_EQ(std::filesystem::status(image("gold-g1-vda.qcow2.muster-claim")).permissions() &
                (std::filesystem::perms::group_all | std::filesystem::perms::others_all),
            std::filesystem::perms::none);
}

}  // namespace
}  // namespace muster::e2e
