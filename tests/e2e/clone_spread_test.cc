// One master, clones on two hypervisors: it is carried once, and goes on where it was cut off.
#include <map>
#include <set>

#include <signal.h>

#include "tests/e2e/clone_fixture.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

using nlohmann::json;

class CloneSpread : public CloneFixture {
 protected:
  void SetUp() override {
    CloneFixture::SetUp();
    if (IsSkipped()) return;
    second_ =
        std::make_unique<Hypervisor>(Hypervisor::Options{.name = "hv2", .bed = file("bed"), .address = "127.9.9.2"});
    second_->virsh({"pool-create-as", "images", "dir", "--target", second_->directory()});
    make_master("web");
  }
  void TearDown() override {
    second_.reset();
    CloneFixture::TearDown();
  }
  Hypervisor& second() { return *second_; }
  Words on_both(Words words) {
    words.insert(words.end(), {"--on", hypervisor().uri(), "--on", second().uri(), "--network", "user"});
    return words;
  }
  std::vector<json> made(const Words& words) {
    auto all = on_both(words);
    all.emplace_back("--json");
    const auto done = here(all);
    EXPECT_EQ(done.code, 0) << told(done);
    std::vector<json> found;
    for (auto& line : json_lines(done.out))
      if (line.value("type", "") == "result") found.push_back(std::move(line));
    return found;
  }

 private:
  std::unique_ptr<Hypervisor> second_;
};

TEST_F(CloneSpread, HalfOfThemAreOnEach) {
  const auto results = made({"clone", "create", "web", "web[1-6]", "--spread", "--linked"});
  std::map<std::string, int> places;
  std::set<std::string> macs;
  for (const auto& result : results) {
    ++places[result.value("uri", "")];
    for (const auto& mac : result["macs"]) macs.insert(mac.get<std::string>());
  }
  EXPECT_EQ(places[hypervisor().uri()], 3);
  EXPECT_EQ(places[second().uri()], 3);
  EXPECT_EQ(macs.size(), 6U);
  // What came there is what was here.
  const std::string carried = second().directory() + "/web-g1-vda.qcow2";
  EXPECT_EQ(run({.argv = {"cmp", image("gold.qcow2"), carried}}).code, 0);
  const auto here_now = results_of({"master", "list"}, hypervisor().uri()),
             there_now = results_of({"master", "list"}, second().uri());
  ASSERT_EQ(there_now.size(), 1U);
  EXPECT_EQ(there_now[0]["images"][0]["sha256"], here_now[0]["images"][0]["sha256"]);

  // Once: a second run carries nothing, and every machine stays where it is.
  for (const auto& result : made({"clone", "create", "web", "web[1-6]", "--spread", "--linked"}))
    EXPECT_FALSE(result.value("made", true)) << result;
}

TEST_F(CloneSpread, AnotherMasterOfTheNameIsNotMixedIn) {
  must({"qemu-img", "create", "-q", "-f", "qcow2", second().directory() + "/other.qcow2", "64M"});
  second().virsh({"pool-refresh", "images"});
  EXPECT_EQ(run(on({"master", "seal", "images/other.qcow2", "--name", "web"}, second().uri())).code, 0);
  const auto mixed = here(on_both({"clone", "create", "web", "web[1-2]", "--spread", "--linked"}));
  EXPECT_EQ(mixed.code, 5) << told(mixed);
  EXPECT_TRUE(contains(mixed.err, "is another one than that of")) << told(mixed);
}

TEST_F(CloneSpread, WhatWasCutOffIsCarriedOn) {
  // Enough for a few stretches, all of it data.
  must({"dd", "if=/dev/urandom", "of=" + image("big.raw"), "bs=1M", "count=400", "status=none"});
  virsh({"pool-refresh", "images"});
  must_here({"master", "seal", "images/big.raw", "--name", "big"});
  const auto claim = second().directory() + "/big-g1-vda.raw.muster-claim";
  MusterProcess process(
      on(on_both({"clone", "create", "big", "big[1-2]", "--spread", "--linked"}), hypervisor().uri()));
  EXPECT_TRUE(wait_until([&] {
    std::error_code error;
    return std::filesystem::exists(claim, error) && contains(read(claim), "carried_bytes");
  }));
  for (const pid_t pid : process_tree(process.pid())) ::kill(pid, SIGKILL);
  process.finish();
  const auto half = results_of({"master", "list"}, second().uri());
  ASSERT_EQ(half.size(), 1U);
  EXPECT_EQ(half[0].value("state", ""), "half made");
  EXPECT_EQ(made({"clone", "create", "big", "big[1-2]", "--spread", "--linked"}).size(), 2U);
  EXPECT_EQ(run({.argv = {"cmp", image("big.raw"), second().directory() + "/big-g1-vda.raw"}}).code, 0);
}

}  // namespace
}  // namespace muster::e2e
