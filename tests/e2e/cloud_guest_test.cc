// The Debian guest against what it is taken for: a distributor's image under cloud-init, and a copy of a machine that
// has run already. Tests of what muster makes of either mean something only if they behave like this.
#include "tests/e2e/cloud_guest.h"

#include "tests/e2e/end_to_end.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

class CloudGuest : public EndToEnd {
 protected:
  void SetUp() override {
    if (const std::string reason = no_hypervisor_because(); !reason.empty()) GTEST_SKIP() << reason;
    hypervisor_ = std::make_unique<Hypervisor>();
  }

  Guest guest(const std::string& name, const GuestImage& image) {
    return {*hypervisor_,
            {.seed = {.host_name = name,
                      .authorized_keys = {key().public_line},
                      .commands = {"echo \"it's here\" > /root/seeded"}},
             .image = image}};
  }
  // "ssh-ed25519 BASE64", as SSH has it.
  static std::string offered_key(const Guest& guest) {
    const auto& [address, port] = guest.endpoint();
    const auto done = run({.argv = {"ssh-keyscan", "-T", "20", "-t", "ed25519", "-p", std::to_string(port), address}});
    const auto begin = done.out.find("ssh-ed25519 ");
    return begin == std::string::npos ? told(done) : done.out.substr(begin, done.out.find('\n', begin) - begin);
  }
  // The same, as the agent reads it from the guest's disk.
  std::string written_key(const Guest& guest) const {
    const std::string line = file_in_guest(*hypervisor_, guest.name(), "/etc/ssh/ssh_host_ed25519_key.pub");
    return line.substr(0, line.rfind(' '));
  }
  std::string machine_id(const Guest& guest) const {
    const std::string line = file_in_guest(*hypervisor_, guest.name(), "/etc/machine-id");
    return line.substr(0, line.find('\n'));
  }
  std::string over_ssh(const Guest& guest, const std::string& user, const std::string& command) {
    write(file("known_hosts"), "[" + guest.endpoint().address + "]:" + std::to_string(guest.endpoint().port) + ' ' +
                                   guest.host_key() + '\n');
    const auto done =
        run({.argv = {"ssh", "-F", "none", "-i", key().file, "-o", "UserKnownHostsFile=" + file("known_hosts"), "-o",
                      "BatchMode=yes", "-o", "ConnectTimeout=20", "-p", std::to_string(guest.endpoint().port),
                      user + '@' + guest.endpoint().address, command},
             .environment = {"HOME=" + home()}});
    return done.code == 0 ? done.out : told(done);
  }

  std::unique_ptr<Hypervisor> hypervisor_;
};

// Both at once: one alone leaves half of two cores idle.
TEST_F(CloudGuest, TakesItsSeedAndMakesItsOwnKeysButKeepsAMachineIdThatIsThere) {
  const auto master = cloud_master();
  auto fresh = guest("fresh", cloud_guest_image()), copy = guest("copy", master.image);
  for (const auto* one : {&fresh, &copy}) hypervisor_->virsh({"start", one->name()});
  for (auto* one : {&fresh, &copy}) {
    one->wait_until_up();
    ASSERT_TRUE(one->wait_for_agent()) << one->console();
    EXPECT_EQ(over_ssh(*one, "root", "hostname; cat /root/seeded; cloud-init status; systemctl is-system-running"),
              one->name() + "\nit's here\nstatus: done\nrunning\n")
        << one->console();
    EXPECT_EQ(printed_in_guest(*hypervisor_, one->name(), "hostname"), one->name() + '\n');
    EXPECT_EQ(offered_key(*one), one->host_key());
    EXPECT_EQ(written_key(*one), one->host_key());
    EXPECT_NE(one->host_key(), master.host_key);
  }
  EXPECT_EQ(over_ssh(fresh, "debian", "sudo id -un"), "root\n");
  EXPECT_NE(fresh.host_key(), copy.host_key());
  // systemd makes one where there is none; cloud-init leaves one that is there.
  EXPECT_EQ(machine_id(fresh).size(), 32U);
  EXPECT_NE(machine_id(fresh), master.machine_id);
  EXPECT_EQ(machine_id(copy), master.machine_id);
  hypervisor_->virsh({"shutdown", "fresh", "--mode", "acpi"});
  hypervisor_->virsh({"shutdown", "copy", "--mode", "agent"});
  for (const auto* one : {&fresh, &copy})
    EXPECT_TRUE(wait_until([&] { return hypervisor_->state(one->name()) == "shut off"; }, 60'000)) << one->console();
}

}  // namespace
}  // namespace muster::e2e
