// Which generation a name means, and when its images may go. The claims themselves are read where there is storage with
// bytes in it, by tests/e2e's: libvirt's test driver has none.
#include "clone/master_store.h"

#include "clone/clone_plan.h"
#include "clone/master_removal.h"
#include "tests/parallel-ssh/support.h"
#include "virt/storage.h"

namespace muster::clone {
namespace {

using base::Code;

Generation generation(const std::string& master, unsigned number, const std::string& image = "") {
  Generation made;
  made.master = master;
  made.number = number;
  if (!image.empty()) made.images.push_back({.target = "vda", .path = image, .format = "qcow2"});
  return made;
}

// As generations() returns them.
const std::vector<Generation> kAll{generation("db", 1), generation("web", 1), generation("web", 2),
                                   generation("web", 10), generation("web-old", 11)};

TEST(Masters, AreFoundByNameAndGeneration) {
  struct {
    const char *name, *found;
  } const cases[] = {
      {"web", "web@10"}, {"web@1", "web@1"}, {"web@2", "web@2"}, {"db", "db@1"}, {"web-old", "web-old@11"}};
  for (const auto& one : cases)
    EXPECT_EQ(name_of(find_generation(kAll, parse_master_name(one.name), "qemu:///system")), one.found) << one.name;
}

TEST(Masters, ThatAreNotThereAreNotFoundAndOthersNamed) {
  for (const char* name : {"web@3", "we", "webs", "Web"}) {
    const auto failure = ssh::failure_of([&] { find_generation(kAll, parse_master_name(name), "qemu://kvm1/system"); });
    EXPECT_TRUE(failure.is(Code::not_found, "no master '" + std::string(name) + "' on qemu://kvm1/system")) << failure;
    EXPECT_TRUE(failure.is(Code::not_found, "db@1, web@1, web@2, web@10, web-old@11")) << failure;
  }
  EXPECT_TRUE(ssh::failure_of([] { find_generation({}, {.name = "web"}, "u"); }).is(Code::not_found, "master seal"));
}

TEST(Masters, WhoseClaimsCannotBeReadAreAWarningAndNothingIsMadeOfThem) {
  const virt::Connection connection("test:///default");
  inventory::KeptEvents events;
  const auto ctx = events.context();
  virt::create_volume(ctx, virt::pool(connection, "default-pool"),
                      {.name = "web.qcow2.muster-claim", .format = virt::VolumeFormat::raw, .capacity_bytes = 4096});
  EXPECT_TRUE(generations(ctx, connection).empty());
  ASSERT_EQ(events.warnings.size(), 1U);
  EXPECT_NE(events.warnings[0].find("web.qcow2.muster-claim"), std::string::npos) << events.warnings[0];
  const auto failure = ssh::failure_of([&] {
    plan_clones(ctx, connection, {.master = {.name = "web"}, .machines = {{.name = "web01"}}}, {},
                [](const PlannedClone&) { FAIL() << "planned"; });
  });
  EXPECT_TRUE(failure.is(Code::not_found, "no master 'web'")) << failure;
}

TEST(Masters, AreNeededWhileSomethingElseIsBuiltOnThem) {
  Surroundings around;
  around.images.images = {{"/m1", {.path = "/m1"}},
                          {"/m2", {.path = "/m2", .backing_path = "/m1"}},
                          {"/c", {.path = "/c", .backing_path = "/m2"}}};
  around.disks = {{"/c", "web01"}};
  const auto one = generation("web", 1, "/m1"), two = generation("web", 2, "/m2");
  const auto failure = ssh::failure_of([&] { check_unneeded({one, two}, around); });
  EXPECT_TRUE(failure.is(Code::refused, "domain 'web01' (/c)")) << failure;
  around.images.images.erase("/c");
  EXPECT_FALSE(ssh::failure_of([&] { check_unneeded({one, two}, around); }).code) << "they go together";
  EXPECT_TRUE(ssh::failure_of([&] { check_unneeded({one}, around); }).is(Code::refused, "/m2"));
  EXPECT_FALSE(ssh::failure_of([&] { check_unneeded({two}, around); }).code);
  around.images.unseen = {"/elsewhere: permission denied"};
  EXPECT_TRUE(ssh::failure_of([&] { check_unneeded({two}, around); }).is(Code::refused, "/elsewhere"));
}

}  // namespace
}  // namespace muster::clone
