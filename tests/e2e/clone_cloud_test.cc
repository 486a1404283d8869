// Clones of a Debian guest with cloud-init whose master had run before: it has a machine-id, host keys and the state of
// another instance, and no clone may keep any of them.
#include <set>

#include "tests/e2e/clone_fixture.h"
#include "tests/e2e/cloud_guest.h"

namespace muster::e2e {
namespace {

using nlohmann::json;

class CloneCloud : public CloneFixture {
 protected:
  static void SetUpTestSuite() {
    start_hypervisor({.network = Hypervisor::Network::own});
    if (!has_hypervisor()) return;
    virsh({"pool-create-as", "images", "dir", "--target", hypervisor().directory()});
    virsh({"net-start", "default"});
  }
  Finished inside(Words words) const {
    const Words first{program("muster"), "-q", "-i", file("fleet.yaml")};
    words.insert(words.begin(), first.begin(), first.end());
    return run({.argv = hypervisor().inside(in_clean_environment(words, {"HOME=" + home(), "TMPDIR=" + file("tmp")})),
                .deadline = std::chrono::seconds(800)});
  }
};

TEST_F(CloneCloud, ThreeOfAMasterThatHadRun) {
  const auto master = cloud_master();
  std::filesystem::copy_file(master.image.disk, image("debian.qcow2"));
  must_here({"master", "seal", "images/debian.qcow2", "--name", "debian"});
  write(file("key.pub"), key().public_line + "\n");
  write(file("user-data"), "#cloud-config\nruncmd:\n  - [sh, -c, 'echo theirs > /root/theirs']\n");
  write(file("fleet.yaml"),
        "all:\n  children:\n    web:\n      vars:\n        user: root\n        identity_file: " + key().file + "\n");
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

}  // namespace
}  // namespace muster::e2e
