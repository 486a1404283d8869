// A host key that is given to a guest in its seed, until the machine is verified.
#include "tests/e2e/clone_fixture.h"
#include "tests/e2e/guest.h"

namespace muster::e2e {
namespace {

class CloneKey : public GuestCloneFixture {
 protected:
  Finished inside(const Words& words) const { return GuestCloneFixture::inside(words, std::chrono::seconds(110)); }
};

TEST_F(CloneKey, DoesNotOutliveItsProof) {
  std::filesystem::copy_file(guest_image().disk, image("tiny.qcow2"));
  must_here({"master", "seal", "images/tiny.qcow2", "--name", "tiny"});
  write_fleet();
  const auto done = inside({"clone", "create", "tiny", "web1", "--on", hypervisor().uri(), "--linked", "--memory",
                            "160M", "--ssh-key", file("key.pub"), "--group", "web", "--seed-host-key", "--wait", "ssh",
                            "--timeout", "90s", "--json"});
  ASSERT_EQ(done.code, 0) << told(done);
  EXPECT_TRUE(contains(done.out, "\"heard_by\":\"seed\"")) << done.out;
  EXPECT_FALSE(std::filesystem::exists(image("web1-key.iso")));
  // The same instance, without a secret.
  EXPECT_TRUE(contains(virsh({"domblklist", "web1"}), "web1-seed.iso"));
  EXPECT_FALSE(contains(definition("web1"), "key.iso"));
  EXPECT_EQ(inside({"clone", "verify", "web"}).code, 0);
  EXPECT_EQ(inside({"run", "web1", "--no-prefix", "--", "cat /etc/hostname"}).out, "web1\n");
}

}  // namespace
}  // namespace muster::e2e
