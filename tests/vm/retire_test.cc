// The retirement of a machine, killed wherever that makes a difference, against libvirt's own test driver.
#include "tests/vm/retiring_machine.h"
#include "vm/machine_facts.h"
#include "vm/retire_steps.h"

namespace muster::vm {
namespace {

using Machine = RetiringMachine;

TEST(Retire, IntoTheTrashAndBack) {
  Machine machine;
  const std::string before = machine.description();
  const auto outcome = retire(machine.ctx, machine.connection, machine.web(), {});
  machine.expect_in_trash();
  EXPECT_EQ(outcome.name, "web01");
  EXPECT_TRUE(outcome.trash_name.starts_with("trash-")) << outcome.trash_name;
  EXPECT_GT(outcome.held_bytes, 0U);
  EXPECT_EQ(list_machines(machine.ctx, machine.connection).size(), 1U) << "the driver's own";
  EXPECT_EQ(held_in_trash(machine.connection).machines, 1U);
  EXPECT_FALSE(retire(machine.ctx, machine.connection, to_retire(machine.connection, "web01"), {}).changed);
  const auto back = restore(machine.ctx, machine.connection, to_restore(machine.connection, "web01"));
  EXPECT_TRUE(back.was_running);
  EXPECT_EQ(back.checkpoints, 2U);
  EXPECT_EQ(machine.description(), before);
  EXPECT_FALSE(machine.web().active());
}

TEST(Retire, KilledAnywhereTheNextCallEndsIt) {
  int kills = 0;
  for (;; ++kills) {
    Machine machine;
    const std::string before = machine.description();
    if (!machine.retire_killed(kills)) break;
    EXPECT_FALSE(machine.retire_killed(-1)) << kills;
    machine.expect_in_trash();
    EXPECT_FALSE(machine.restore_killed(-1));
    EXPECT_EQ(machine.description(), before) << kills;
  }
  EXPECT_EQ(kills, 16) << "four steps are due, each with four places";
}

TEST(Retire, KilledAnywhereItCanBeUndone) {
  for (int kill = 0;; ++kill) {
    Machine machine;
    const std::string before = machine.description();
    if (!machine.retire_killed(kill)) break;
    const auto unfinished = tombstones(machine.connection);
    ASSERT_EQ(unfinished.size(), 1U) << kill;
    EXPECT_FALSE(machine.restore_killed(-1)) << kill;
    EXPECT_EQ(machine.description(), before) << kill;
  }
}

TEST(Retire, KilledOnItsWayBackItComesBackOrGoesAgain) {
  for (const bool again : {false, true})
    for (int kill = 0;; ++kill) {
      Machine machine;
      const std::string before = machine.description();
      machine.retire_killed(-1);
      if (!machine.restore_killed(kill)) break;
      EXPECT_TRUE(tombstones(machine.connection).at(0).unfinished());
      if (again) {
        EXPECT_FALSE(machine.retire_killed(-1));
        machine.expect_in_trash();
      }
      EXPECT_FALSE(machine.restore_killed(-1));
      EXPECT_EQ(machine.description(), before) << kill;
    }
}

TEST(Retire, KilledAnywhereAPurgeEnds) {
  for (const bool from_trash : {false, true})
    for (int kill = 0;; ++kill) {
      Machine machine;
      if (from_trash) machine.retire_killed(-1);
      if (!machine.retire_killed(kill, kPurge)) break;
      if (tombstones(machine.connection).empty()) continue;  // killed when all was done
      EXPECT_TRUE(tombstones(machine.connection).at(0).unfinished());
      EXPECT_FALSE(machine.retire_killed(-1, kPurge));
      EXPECT_EQ(machine.connection.domains().size(), 1U);
      EXPECT_FALSE(machine.has_image());
    }
}

TEST(Retire, APurgeTakesTheImageAlongAndSaysSo) {
  Machine machine;
  const auto outcome = retire(machine.ctx, machine.connection, machine.web(), kPurge);
  EXPECT_EQ(outcome.removed, std::vector<std::string>{"/default-pool/web01.qcow2"});
  EXPECT_TRUE(outcome.kept.empty() && outcome.remaining.empty() && outcome.trash_name.empty());
  EXPECT_FALSE(machine.has_image());
  EXPECT_FALSE(machine.connection.find_domain("web01"));
}

TEST(Retire, AnImageThatAnotherUsesIsNotPurged) {
  Machine machine;
  const std::string before = machine.description();
  std::string other = kRetiringDomain;
  other.replace(other.find("web01"), 5, "web02");
  machine.connection.define(other);
  std::string text;
  EXPECT_EQ(code_of([&] { retire(machine.ctx, machine.connection, machine.web(), kPurge); }, &text), Code::refused);
  EXPECT_NE(text.find("used by domain 'web02'"), std::string::npos) << text;
  EXPECT_EQ(machine.description(), before);
  EXPECT_TRUE(machine.web().active());
  const RetireOptions keeping{.aim = Aim::purge, .left_out = {Step::disks}};
  const auto outcome = retire(machine.ctx, machine.connection, machine.web(), keeping);
  EXPECT_EQ(outcome.kept, std::vector<std::string>{"/default-pool/web01.qcow2 (as you said)"});
  EXPECT_TRUE(machine.has_image());
}

TEST(Retire, WhoseDisksBeganToGoDoesNotComeBack) {
  Machine machine;
  ASSERT_TRUE(machine.retire_killed(10, kPurge));
  ASSERT_FALSE(machine.has_image());
  std::string text;
  EXPECT_EQ(code_of([&] { machine.restore_killed(-1); }, &text), Code::refused);
  EXPECT_NE(text.find("--purge ends what was begun"), std::string::npos) << text;
  EXPECT_EQ(code_of([&] { machine.retire_killed(-1); }), Code::refused) << "nor does it go into the trash";
}

TEST(Retire, ThePlanNamesEveryStepAndChangesNothing) {
  Machine machine;
  const std::string before = machine.description();
  const auto plan = plan_retirement(machine.ctx, machine.connection, machine.web(), {});
  const auto steps = retire_steps();
  ASSERT_EQ(plan.size(), steps.size());
  for (std::size_t i = 0; i < plan.size(); ++i) {
    EXPECT_EQ(plan[i].step, steps[i].step);
    EXPECT_FALSE(plan[i].what.empty());
  }
  EXPECT_EQ(machine.description(), before);
  EXPECT_TRUE(machine.web().active());
}

TEST(Retire, AMachineThatRunsAndIsNotToBeShutDownIsRefused) {
  Machine machine;
  const std::string before = machine.description();
  const RetireOptions options{.left_out = {Step::shut_down}};
  EXPECT_EQ(code_of([&] { retire(machine.ctx, machine.connection, machine.web(), options); }), Code::refused);
  EXPECT_EQ(machine.description(), before);
}

TEST(Retire, SavedMemoryGoesOnlyWhenThatWasSaid) {
  Machine machine;
  virt::save(machine.web());
  std::string text;
  EXPECT_EQ(code_of([&] { retire(machine.ctx, machine.connection, machine.web(), {}); }, &text), Code::refused);
  EXPECT_NE(text.find("--discard-saved"), std::string::npos) << text;
  EXPECT_TRUE(virt::has_saved_image(machine.web()));
  retire(machine.ctx, machine.connection, machine.web(), {.discard_saved_memory = true});
  machine.expect_in_trash();
}

TEST(Retire, ANameThatIsTakenIsNotTakenAway) {
  Machine machine;
  std::string other = machine.web().xml(virt::Domain::Xml::portable);
  retire(machine.ctx, machine.connection, machine.web(), {});
  other.replace(other.find("<uuid>") + 6, 8, "99999999");
  other.erase(other.find("<metadata>"), other.find("</metadata>") + 11 - other.find("<metadata>"));
  machine.connection.define(other);
  std::string text;
  EXPECT_EQ(code_of([&] { machine.restore_killed(-1); }, &text), Code::refused);
  EXPECT_NE(text.find("rename or delete that one"), std::string::npos) << text;
  EXPECT_EQ(to_retire(machine.connection, "web01").name(), "web01") << "the living one goes before";
}

TEST(Retire, WhatIsNotInTheTrashDoesNotComeBack) {
  Machine machine;
  EXPECT_EQ(code_of([&] { to_restore(machine.connection, "web01"); }), Code::not_found);
  EXPECT_EQ(code_of([&] { to_retire(machine.connection, "nobody"); }), Code::not_found);
}

TEST(Retire, OnlyStepsThatMayBeLeftOutAre) {
  EXPECT_EQ(optional_step("shut-down"), Step::shut_down);
  std::string text;
  EXPECT_EQ(code_of([] { optional_step("unregister"); }, &text), Code::usage);
  EXPECT_NE(text.find("disable-logins, stop-services"), std::string::npos) << text;
}

TEST(Retire, TimesAreWrittenAndRead) {
  EXPECT_EQ(time_text(parse_time("2026-11-23T05:04:03Z")), "2026-11-23T05:04:03Z");
  EXPECT_EQ(code_of([] { parse_time("yesterday"); }), Code::corrupt);
}

}  // namespace
}  // namespace muster::vm
