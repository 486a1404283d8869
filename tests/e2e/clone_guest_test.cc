// Clones of a small real guest, from a master image to a command on all of them: each makes its own host key, which is
// heard on its console, and the first connection is verified against it.
#include <set>

#include <signal.h>

#include "tests/e2e/clone_fixture.h"
#include "tests/e2e/guest.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

using nlohmann::json;

class CloneGuest : public GuestCloneFixture {
 protected:
  void SetUp() override {
    GuestCloneFixture::SetUp();
    if (IsSkipped()) return;
    std::filesystem::copy_file(guest_image().disk, image("tiny.qcow2"));
    must_here({"master", "seal", "images/tiny.qcow2", "--name", "tiny"});
    write_fleet();
    write(file("first.yaml"),
          "tasks:\n  - {name: first, run: 'echo of $(hostname) >/root/first', creates: /root/first}\n"
          "  - {run: 'false', unless: test -s /root/first}\n");
  }
  Finished inside(const Words& words) const { return GuestCloneFixture::inside(words, std::chrono::seconds(110)); }
  Finished create(const std::string& names) const {
    return inside({"clone",
                   "create",
                   "tiny",
                   names,
                   "--on",
                   hypervisor().uri(),
                   "--linked",
                   "--memory",
                   "160M",
                   "--ssh-key",
                   file("key.pub"),
                   "--group",
                   "web",
                   "--wait",
                   "ssh",
                   "--timeout",
                   "90s",
                   "--playbook",
                   file("first.yaml"),
                   "--command",
                   "cat /etc/hostname /root/first",
                   "--json"});
  }
};

TEST_F(CloneGuest, ThreeOfOneMasterAreThreeMachines) {
  const auto done = create("web[1-3]");
  ASSERT_EQ(done.code, 0) << told(done);
  std::set<std::string> machine_ids, keys, addresses;
  const auto lines = json_lines(done.out);
  for (const std::string name : {"web1", "web2", "web3"}) {
    json result;
    for (const auto& line : lines)
      if (line.value("type", "") == "result" && line.value("name", "") == name) result = line;
    EXPECT_EQ(result.value("output", ""), name + "\nof " + name + "\n") << result;
    EXPECT_EQ(result.value("tasks_done", 0), 1) << result;
    EXPECT_EQ(result.value("tasks_not_needed", 0), 1) << result;
    EXPECT_TRUE(result.value("verified", false)) << result;
    machine_ids.insert(result.value("machine_id", ""));
    addresses.insert(result.value("address", ""));
    for (const auto& key : result["host_keys"]) keys.insert(key.get<std::string>());
  }
  EXPECT_EQ(machine_ids.size(), 3U);
  EXPECT_EQ(addresses.size(), 3U);
  EXPECT_EQ(keys.size(), 3U);

  // Pinned: in the inventory, and under the machine's identity.
  const std::string inventory = read(file("fleet.yaml")), known = read(home() + "/.ssh/known_hosts");
  for (const auto& key : keys) {
    EXPECT_TRUE(contains(inventory, key)) << inventory;
    EXPECT_TRUE(contains(known, key)) << known;
  }
  for (const auto& address : addresses) EXPECT_FALSE(contains(known, address)) << "another may have it next";

  // Strictly, without a look at the network's word.
  const auto ran = inside({"run", "web", "--no-prefix", "--", "hostname"});
  EXPECT_EQ(ran.code, 0) << told(ran);
  EXPECT_EQ(inside({"clone", "verify", "web"}).code, 0);
  const auto scanned = inside({"key", "scan", "web", "--via", "hypervisor"});
  EXPECT_EQ(scanned.code, 0) << told(scanned);

  // One of them stands alone while it runs, and the others hold the master.
  const auto flat = inside({"clone", "flatten", "web1"});
  EXPECT_EQ(flat.code, 0) << told(flat);
  EXPECT_FALSE(contains(run({.argv = {"qemu-img", "info", "-U", image("web1-vda.qcow2")}}).out, "backing file"));
  EXPECT_EQ(inside({"run", "web1", "--no-prefix", "--", "sha256sum /etc/machine-id && sync"}).code, 0) << "it runs on";
  EXPECT_EQ(here({"master", "remove", "tiny", "--yes"}).code, 5);

  // Another that answers at an address of theirs is not taken for them.
  std::string swapped = inventory;
  const auto first = *addresses.begin(), last = *addresses.rbegin();
  for (std::size_t at = swapped.find(first); at != std::string::npos; at = swapped.find(first, at + 1))
    swapped.replace(at, first.size(), last);
  write(file("fleet.yaml"), swapped);
  const auto mistaken = inside({"run", "web", "--no-prefix", "--", "hostname"});
  EXPECT_EQ(mistaken.code, 3) << told(mistaken);
  EXPECT_EQ(inside({"clone", "verify", "web"}).code, 3);
}

TEST_F(CloneGuest, ASecondRunGoesOnWhereTheFirstWasCutOff) {
  MusterProcess process(
      {.argv = hypervisor().inside(in_clean_environment(
           {program("muster"), "clone", "create", "tiny", "web1", "--on", hypervisor().uri(), "--linked", "--memory",
            "160M", "--ssh-key", file("key.pub"), "--group", "web", "--wait", "ssh", "-i", file("fleet.yaml")},
           {"HOME=" + home(), "TMPDIR=" + file("tmp")}))});
  EXPECT_TRUE(wait_until([] { return contains(hypervisor().virsh({"list", "--all"}), "web1"); }));
  for (const pid_t pid : process_tree(process.pid())) ::kill(pid, SIGKILL);
  process.finish();
  const auto done = create("web[1-2]");
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_EQ(inside({"clone", "verify", "web"}).code, 0);
  EXPECT_EQ(inside({"clone", "gc", "--yes"}).code, 0);
}

}  // namespace
}  // namespace muster::e2e
