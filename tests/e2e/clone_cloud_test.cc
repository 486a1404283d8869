// Clones of a Debian guest with cloud-init whose master had run before: it has a machine-id, host keys and the state of
// another instance, and no clone may keep any of them. And of the same machine without cloud-init.
#include <set>

#include "tests/e2e/clone_fixture.h"
#include "tests/e2e/cloud_guest.h"

namespace muster::e2e {
namespace {

using nlohmann::json;

class CloneCloud : public GuestCloneFixture {
 protected:
  Finished inside(const Words& words) const { return GuestCloneFixture::inside(words, std::chrono::seconds(800)); }
};

TEST_F(CloneCloud, ThreeOfAMasterThatHadRun) {
  const auto master = cloud_master();
  std::filesystem::copy_file(master.image.disk, image("debian.qcow2"));
  must_here({"master", "seal", "images/debian.qcow2", "--name", "debian"});
  write(file("user-data"), "#cloud-config\nruncmd:\n  - [sh, -c, 'echo theirs > /root/theirs']\n");
  write_fleet();
  const auto done =
      inside({"clone",           "create",  "debian", "web[1-3]", "--on",      hypervisor().uri(), "--linked",
              "--memory",        "384M",    "--size", "1G",       "--ssh-key", file("key.pub"),    "--user-data",
              file("user-data"), "--group", "web",    "--wait",   "ssh",       "--timeout",        "12m",
              "--json"});
  ASSERT_EQ(done.code, 0) << told(done);
  std::set<std::string> machine_ids{master.machine_id}, keys{master.host_key};
  for (const auto& line : json_lines(done.out)) {
    if (line.value("type", "") != "result") continue;
    EXPECT_TRUE(machine_ids.insert(line.value("machine_id", "")).second) << line;
    for (const auto& key : line["host_keys"]) EXPECT_TRUE(keys.insert(key.get<std::string>()).second) << line;
  }
  EXPECT_EQ(machine_ids.size(), 4U);
  EXPECT_GE(keys.size(), 4U);
  // Commands of user-data run at the end of a boot, after SSH is up.
  const auto ran = inside({"run", "web", "--no-prefix", "--timeout", "3m", "--",
                           "for i in $(seq 60); do [ -e /root/theirs ] || sleep 1; done; cat /root/theirs; hostname"});
  EXPECT_EQ(ran.code, 0) << told(ran);
  for (const std::string word : {"theirs", "web1", "web2", "web3"}) EXPECT_TRUE(contains(ran.out, word)) << ran.out;
  EXPECT_EQ(inside({"clone", "verify", "web"}).code, 0);
  EXPECT_EQ(inside({"clone", "flatten", "web1"}).code, 0);
  EXPECT_EQ(inside({"run", "web1", "--no-prefix", "--", "hostname"}).out, "web1\n");
  EXPECT_EQ(here({"master", "remove", "debian", "--yes"}).code, 5);
  // Whoever boots again stays who it is, also when its plug was pulled.
  virsh({"reset", "web2"});
  const auto again = inside(
      {"run", "web2", "--no-prefix", "--retries", "60", "--connect-timeout", "60s", "--", "cat /etc/machine-id"});
  EXPECT_EQ(again.code, 0) << told(again);
  EXPECT_TRUE(machine_ids.contains(again.out.substr(0, 32))) << again.out;
}

TEST_F(CloneCloud, ThreeOfTheSameWithoutCloudInitAtAddressesOfTheirOwn) {
  const auto master = plain_master();
  std::filesystem::copy_file(master.image.disk, image("plain.qcow2"));
  virsh({"pool-refresh", "images"});
  must_here({"vm", "create", "gold", "--disk", "pool=images,from=images/plain.qcow2", "--memory", "384M", "--network",
             std::string("network=default,mac=") + kMastersInterface});
  must_here({"master", "seal", "gold", "--name", "plain", "--guest", "offline"});
  write_fleet();
  const Words create{"clone",         "create",        "plain",
                     "web[1-3]",      "--on",          hypervisor().uri(),
                     "--linked",      "--address",     "192.168.122.[71-73]/24",
                     "--gateway",     "192.168.122.1", "--ssh-key",
                     file("key.pub"), "--group",       "web",
                     "--json"};
  const auto made = inside(create);
  ASSERT_EQ(made.code, 0) << told(made);
  EXPECT_FALSE(contains(made.err, "is about the interface")) << made.err;
  auto waiting = create;
  waiting.insert(waiting.end(), {"--wait", "ssh", "--timeout", "12m"});
  const auto done = inside(waiting);
  ASSERT_EQ(done.code, 0) << told(done);
  std::set<std::string> machine_ids{master.machine_id}, keys{master.host_key}, addresses;
  for (const auto& line : json_lines(done.out)) {
    if (line.value("type", "") != "result") continue;
    EXPECT_EQ(line.value("heard_by", ""), "disk") << line;
    EXPECT_TRUE(machine_ids.insert(line.value("machine_id", "")).second) << line;
    for (const auto& key : line["host_keys"]) EXPECT_TRUE(keys.insert(key.get<std::string>()).second) << line;
    addresses.insert(line.value("address", ""));
  }
  EXPECT_EQ(machine_ids.size(), 4U);
  EXPECT_EQ(keys.size(), 7U) << "of both kinds that the master has";
  EXPECT_EQ(addresses, (std::set<std::string>{"192.168.122.71", "192.168.122.72", "192.168.122.73"}));
  const auto ran = inside({"run", "web", "--no-prefix", "--", "hostname; getent hosts $(hostname)"});
  EXPECT_EQ(ran.code, 0) << told(ran);
  for (const std::string word : {"web1", "127.0.1.1", "web3"}) EXPECT_TRUE(contains(ran.out, word)) << ran.out;
  EXPECT_EQ(inside({"clone", "verify", "web"}).code, 0);
  // Whoever is off tells it from the disk.
  EXPECT_EQ(here({"vm", "stop", "web1", "--timeout", "120s"}).code, 0);
  const auto scanned = inside({"key", "scan", "web1", "--via", "hypervisor", "--json"});
  EXPECT_TRUE(contains(scanned.out, "\"heard_by\":\"disk\"")) << told(scanned);
}

}  // namespace
}  // namespace muster::e2e
