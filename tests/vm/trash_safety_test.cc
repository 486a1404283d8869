// What must not cost anybody a disk: journals that came with a copied definition, that are damaged, that two programs
// write at once, or that are older than what lies on the storage by now.
#include <chrono>

#include "tests/vm/retiring_machine.h"
#include "vm/machine_facts.h"

namespace muster::vm {
namespace {

using Machine = RetiringMachine;
using namespace std::chrono_literals;

constexpr const char* kImage = "/default-pool/web01.qcow2";

void replace(std::string& text, const std::string& what, const std::string& with) {
  const auto at = text.find(what);
  ASSERT_NE(at, std::string::npos) << what << " in " << text;
  text.replace(at, what.size(), with);
}

// As virt-clone makes it: another name, UUID and image, and all the rest.
virt::Domain clone(const Machine& machine, const virt::Domain& domain, const std::string& image) {
  std::string xml = domain.xml(virt::Domain::Xml::portable);
  replace(xml, "<name>" + domain.name() + "</name>", "<name>web02</name>");
  replace(xml, "<uuid>" + domain.uuid().substr(0, 8), "<uuid>99999999");
  replace(xml, std::string("<source file='") + kImage, "<source file='" + image);
  return machine.connection.define(xml);
}

void write_journal(const virt::Domain& domain, const std::map<std::string, std::string>& changes) {
  auto part = *virt::metadata_part(domain, "retirement");
  for (const auto& [name, value] : changes) part.attributes[name] = value;
  virt::put_metadata_part(domain, part);
}

TEST(TrashSafety, ACloneOfAMachineInTheTrashIsNotInTheTrash) {
  Machine machine;
  retire(machine.ctx, machine.connection, machine.web(), {});
  const auto copy = clone(machine, to_retire(machine.connection, "web01"), "/default-pool/web02.qcow2");
  EXPECT_FALSE(retirement_of(copy));
  EXPECT_EQ(tombstones(machine.connection).size(), 1U) << "that of web01, and none that trash empty would let go";
  EXPECT_EQ(trashed(machine.connection, "web01").size(), 1U);
}

TEST(TrashSafety, ACloneOfAHalfDeletedMachineTakesNoImageOfItAlong) {
  Machine machine;
  machine.make_volume("web02.qcow2");
  ASSERT_TRUE(machine.retire_killed(9, kPurge)) << "the journal says which images go, and they are there";
  ASSERT_EQ(retirement_of(machine.web())->removed, std::vector<std::string>{kImage});
  const auto copy = clone(machine, machine.web(), "/default-pool/web02.qcow2");
  EXPECT_EQ(retire(machine.ctx, machine.connection, copy, kPurge).removed,
            std::vector<std::string>{"/default-pool/web02.qcow2"});
  EXPECT_TRUE(machine.has_image());
}

TEST(TrashSafety, AnImageThatAnEarlierCallNamedIsLookedAtAgain) {
  Machine machine;
  machine.make_volume("old.qcow2");
  ASSERT_TRUE(machine.retire_killed(9, kPurge));
  // Its chain cannot be seen any more, and somebody has the image by now.
  auto journal = *retirement_of(machine.web());
  journal.removed.emplace_back("/default-pool/old.qcow2");
  write_retirement(machine.web(), journal);
  std::string other = kRetiringDomain;
  replace(other, "web01", "web02");
  replace(other, kImage, "/default-pool/old.qcow2");
  machine.connection.define(other);
  std::string text;
  EXPECT_EQ(code_of([&] { machine.retire_killed(-1, kPurge); }, &text), Code::refused);
  EXPECT_NE(text.find("old.qcow2 of 'web01' is used by domain 'web02'"), std::string::npos) << text;
  EXPECT_TRUE(virt::list_images(machine.connection, {}).images.contains("/default-pool/old.qcow2"));
}

TEST(TrashSafety, AMachineThatSomebodyRenamedIsNotInTheTrash) {
  Machine machine;
  retire(machine.ctx, machine.connection, machine.web(), {});
  virt::rename(to_retire(machine.connection, "web01"), "rescued");
  ASSERT_EQ(tombstones(machine.connection).size(), 1U);
  EXPECT_FALSE(tombstones(machine.connection)[0].in_trash());
  EXPECT_EQ(list_machines(machine.ctx, machine.connection).size(), 2U) << "it is seen";
  const auto back = restore(machine.ctx, machine.connection, to_restore(machine.connection, "rescued"));
  EXPECT_EQ(back.name, "rescued");
  EXPECT_TRUE(tombstones(machine.connection).empty());
  // Deleted again, it goes under the name it has now.
  const auto again = retire(machine.ctx, machine.connection, machine.connection.domain("rescued"), {});
  EXPECT_EQ(trashed(machine.connection, "rescued").size(), 1U) << again.trash_name;
}

TEST(TrashSafety, WhatSomebodyStartedInTheTrashIsNotLetGo) {
  Machine machine;
  retire(machine.ctx, machine.connection, machine.web(), {});
  virt::start(to_retire(machine.connection, "web01"));
  std::string text;
  EXPECT_EQ(code_of([&] { machine.retire_killed(-1, kPurge); }, &text), Code::refused);
  EXPECT_NE(text.find("somebody started it"), std::string::npos) << text;
  EXPECT_TRUE(to_retire(machine.connection, "web01").active());
  EXPECT_EQ(code_of([&] { machine.restore_killed(-1); }, &text), Code::refused);
  EXPECT_NE(text.find("somebody started it"), std::string::npos) << text;
  virt::save(to_retire(machine.connection, "web01"));
  EXPECT_EQ(code_of([&] { machine.retire_killed(-1, kPurge); }), Code::refused) << "its memory is news, too";
  EXPECT_TRUE(machine.has_image());
}

TEST(TrashSafety, AMachineThatIsStartedMeanwhileKeepsItsImage) {
  Machine machine;
  std::string text;
  const auto purge = [&] {
    retire(machine.ctx, machine.connection, machine.web(), kPurge, [&](const PlannedStep& planned, Progress progress) {
      if (planned.step == Step::disks && progress == Progress::begins) virt::start(machine.web());
    });
  };
  EXPECT_EQ(code_of(purge, &text), Code::busy) << text;
  EXPECT_TRUE(machine.has_image());
  EXPECT_TRUE(machine.web().active());
}

TEST(TrashSafety, ADamagedJournalKeepsNobodyElseFromBeingSeen) {
  const std::map<std::string, std::string> kDamages[]{
      {{"expires", "soon"}}, {{"aim", "later"}}, {{"name", ""}}, {{"begun", "12345-01-01T00:00:00Z"}}};
  for (const auto& damage : kDamages) {
    Machine machine;
    retire(machine.ctx, machine.connection, machine.web(), {.keep = 0s});
    const auto domain = to_retire(machine.connection, "web01");
    write_journal(domain, damage);
    EXPECT_EQ(list_machines(machine.ctx, machine.connection).size(), 1U);
    const auto all = tombstones(machine.connection);
    ASSERT_EQ(all.size(), 1U);
    EXPECT_FALSE(all[0].damage.empty());
    EXPECT_FALSE(is_due(all[0], {})) << "nobody knows when it may go";
    EXPECT_TRUE(in_trash(domain)) << "and nothing starts it";
    std::string text;
    EXPECT_EQ(code_of([&] { retire(machine.ctx, machine.connection, domain, kPurge); }, &text), Code::corrupt);
    EXPECT_NE(text.find("virsh metadata " + domain.name()), std::string::npos) << text;
    EXPECT_TRUE(machine.has_image());
  }
}

TEST(TrashSafety, WhatIsKeptForAgesCanBeRead) {
  Machine machine;
  retire(machine.ctx, machine.connection, machine.web(), {.keep = std::chrono::seconds(10'000'000'000'000)});
  EXPECT_EQ(tombstones(machine.connection).at(0).damage, "");
  EXPECT_FALSE(is_due(tombstones(machine.connection)[0], {}))
      << time_text(tombstones(machine.connection)[0].retirement.expires);
}

TEST(TrashSafety, AnAttemptLongAgoDoesNotMakeItOld) {
  Machine machine;
  ASSERT_TRUE(machine.retire_killed(0));
  write_journal(machine.web(), {{"begun", "2020-01-01T00:00:00Z"}, {"deleted", "2020-01-01T00:00:00Z"}});
  machine.retire_killed(-1);
  const auto tombstone = tombstones(machine.connection).at(0);
  EXPECT_TRUE(tombstone.in_trash());
  EXPECT_FALSE(is_due(tombstone, 30 * 24h)) << "it came into the trash just now";
  EXPECT_TRUE(is_due(tombstone, 0s));
}

TEST(TrashSafety, WhatWasDeletedInTheFutureIsNotDue) {
  Machine machine;
  retire(machine.ctx, machine.connection, machine.web(), {.keep = 0s});
  EXPECT_TRUE(is_due(tombstones(machine.connection).at(0), {}));
  const auto later = time_text(now() + 400 * 24h);
  write_journal(to_retire(machine.connection, "web01"), {{"deleted", later}, {"expires", "2020-01-01T00:00:00Z"}});
  EXPECT_FALSE(is_due(tombstones(machine.connection).at(0), {})) << "one of the clocks is wrong";
}

TEST(TrashSafety, TwoWhoDeleteAtOnceLoseNothingOfIt) {
  Machine machine;
  const std::string before = machine.description();
  bool once = false;
  const auto both = [&] {
    retire(machine.ctx, machine.connection, machine.web(), {}, [&](const PlannedStep& planned, Progress progress) {
      if (planned.step != Step::checkpoints || progress != Progress::prepared || once) return;
      once = true;
      retire(machine.ctx, machine.connection, machine.web(), {});
    });
  };
  std::string text;
  EXPECT_EQ(code_of(both, &text), Code::busy);
  EXPECT_NE(text.find("another muster"), std::string::npos) << text;
  machine.expect_in_trash();
  restore(machine.ctx, machine.connection, to_restore(machine.connection, "web01"));
  EXPECT_EQ(machine.description(), before);
}

TEST(TrashSafety, OfTwoWhoReadTheJournalOneWrites) {
  Machine machine;
  ASSERT_TRUE(machine.retire_killed(0));
  auto mine = *retirement_of(machine.web()), theirs = mine;
  write_retirement(machine.web(), mine);
  EXPECT_EQ(code_of([&] { write_retirement(machine.web(), theirs); }), Code::busy);
  write_retirement(machine.web(), mine);
  Retirement fresh{.name = "web01"};
  EXPECT_EQ(code_of([&] { write_retirement(machine.web(), fresh); }), Code::busy);
}

TEST(TrashSafety, WhoIsBroughtBackWhileTheTrashIsEmptiedKeepsItsImage) {
  for (const auto place : {Progress::begins, Progress::prepared}) {
    Machine machine;
    const std::string before = machine.description();
    retire(machine.ctx, machine.connection, machine.web(), {});
    std::string text;
    const auto empty = [&] {
      retire(machine.ctx, machine.connection, to_retire(machine.connection, "web01"), kPurge,
             [&](const PlannedStep& planned, Progress progress) {
               if (planned.step == Step::disks && progress == place) machine.restore_killed(-1);
             });
    };
    EXPECT_EQ(code_of(empty, &text), Code::busy) << text;
    EXPECT_TRUE(machine.has_image());
    EXPECT_EQ(machine.description(), before);
  }
}

TEST(TrashSafety, ALongNameIsNotCutWithinALetter) {
  std::string name;
  while (name.size() < 200) name += "\xc3\xa4";
  const Retirement odd{.name = "x" + name};
  const std::string there = tombstone_name(odd, "12345678-");
  EXPECT_EQ(there.find("\xc3-"), std::string::npos) << there;
}

}  // namespace
}  // namespace muster::vm
