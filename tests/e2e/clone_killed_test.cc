// kill -9 of what makes masters and clones, between any two of its calls that change something on the hypervisor: the
// same command given again makes it whole, and nothing is left beside it; or clone gc removes what was begun, and
// nothing else.
#include <set>

#include "tests/e2e/clone_fixture.h"
#include "tests/e2e/kill_between_changes.h"

namespace muster::e2e {
namespace {

class CloneKilled : public CloneFixture {
 protected:
  void SetUp() override {
    CloneFixture::SetUp();
    if (IsSkipped()) return;
    relay_ = std::make_unique<LibvirtRelay>(file("relay"), hypervisor().uri().substr(hypervisor().uri().find('=') + 1));
    relay_->count_all();
  }
  void TearDown() override {
    relay_.reset();
    CloneFixture::TearDown();
  }
  bool killed_before(const Words& words, int changes) {
    return e2e::killed_before(*relay_, on(words, relay_->uri()), changes, changes % 2 == 0 ? Whom::both : Whom::muster);
  }
  // Files, machines, masters and clones, without what is new each time.
  std::string state() const {
    std::string all;
    std::set<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(hypervisor().directory()))
      if (entry.is_regular_file()) files.insert(entry.path().filename());
    for (const auto& name : files) all += name + "\n";
    all += virsh({"list", "--all", "--name"});
    for (const auto& master : results({"master", "list"}))
      all += master.value("master", "") + "@" + std::to_string(master.value("generation", 0)) + " " +
             master.value("state", "") + " " + std::to_string(master["dependants"].size()) + "\n";
    for (const auto& clone : results({"clone", "list"}))
      all += clone.value("name", "") + " " + clone.value("kind", "") + " " + clone.value("state", "") + "\n";
    return all;
  }

  // Kills `words` at each place, once to give it again, once to have its leftovers collected. `before` makes what it
  // starts from. Returns at how many places.
  int kill_everywhere(const Words& words, const std::function<void()>& before) {
    const auto reset = [&] {
      clear();
      before();
    };
    reset();
    const std::string untouched = state();
    must_here(words);
    const std::string wanted = state();
    EXPECT_NE(wanted, untouched);
    int places = 0;
    for (bool killed = true; killed && places < 30; ++places) {
      reset();
      killed = killed_before(words, places);
      if (killed) {
        const auto again = here(words);
        // Where the worker came to its end alone, nothing is left to promote.
        EXPECT_TRUE(again.code == 0 || contains(again.err, "is not being edited")) << told(again);
      }
      EXPECT_EQ(state(), wanted) << words[1] << " killed before change " << places;
    }
    return places - 1;
  }

 private:
  std::unique_ptr<LibvirtRelay> relay_;
};

TEST_F(CloneKilled, ACloneIsMadeWhole) {
  EXPECT_GE(kill_everywhere({"clone", "create", "web", "web1", "--linked", "--network", "user", "--autostart"},
                            [&] { make_master("web"); }),
            4);
}

TEST_F(CloneKilled, AFullCloneIsMadeWhole) {
  EXPECT_GE(
      kill_everywhere({"clone", "create", "web", "web1", "--full", "--network", "user"}, [&] { make_master("web"); }),
      2);
}

TEST_F(CloneKilled, AnImageIsSealed) {
  EXPECT_GE(
      kill_everywhere({"master", "seal", "images/gold.qcow2", "--name", "web"}, [&] { make_image("gold.qcow2"); }), 2);
}

TEST_F(CloneKilled, ACopyIsSealed) {
  EXPECT_GE(kill_everywhere({"master", "seal", "images/gold.qcow2", "--name", "web", "--copy"},
                            [&] { make_image("gold.qcow2"); }),
            4);
}

TEST_F(CloneKilled, AnEditIsBegunPromotedAndAbandoned) {
  const auto master = [&] { make_master("web"); };
  EXPECT_GE(kill_everywhere({"master", "edit", "web"}, master), 3);
  const auto edited = [&] {
    make_master("web");
    must_here({"master", "edit", "web"});
  };
  EXPECT_GE(kill_everywhere({"master", "edit", "web", "--promote"}, edited), 3);
}

TEST_F(CloneKilled, LeftoversAreCollectedAndNothingElseIs) {
  make_master("web");
  must_here({"clone", "create", "web", "whole", "--linked", "--network", "user"});
  write(image("stranger-vda.qcow2"), "somebody's");
  const std::string before = state();
  int places = 0;
  for (; places < 30 && killed_before({"clone", "create", "web", "web1", "--linked", "--network", "user"}, places);
       ++places) {
    const auto done = here({"clone", "gc", "--yes"});
    EXPECT_EQ(done.code, 0) << told(done);
    // Killed after the last of its changes it is a clone.
    if (!contains(virsh({"list", "--all", "--name"}), "web1")) {
      EXPECT_EQ(state(), before) << places << told(done);
    }
    hypervisor().try_virsh({"undefine", "web1"});
    for (const char* name : {"web1-vda.qcow2", "web1-seed.iso"}) std::filesystem::remove(image(name));
    hypervisor().virsh({"pool-refresh", "images"});
  }
  EXPECT_GE(places, 2);
  EXPECT_EQ(read(image("stranger-vda.qcow2")), "somebody's");
}

}  // namespace
}  // namespace muster::e2e
