// The retirement of a machine, killed wherever that makes a difference, against libvirt's own test driver. Each
// Machine has the driver's state for itself.
#include "vm/retire.h"

#include <functional>
#include <optional>

#include <gtest/gtest.h>
#include <libvirt/libvirt.h>

#include "base/error.h"
#include "virt/image_files.h"
#include "virt/lifecycle.h"
#include "virt/metadata.h"
#include "vm/machine_facts.h"

namespace muster::vm {
namespace {

using base::Code;

// Thrown where the process would be killed: nothing of ours catches it.
struct Killed {};

constexpr const char* kDomain =
    "<domain type='test'><name>web01</name><memory>65536</memory><os><type>hvm</type></os><devices><disk type='file' "
    "device='disk'><driver name='qemu' type='qcow2'/><source file='/default-pool/web01.qcow2'/><target dev='vda' "
    "bus='virtio'/></disk></devices></domain>";

struct Machine {
  Machine() {
    make_volume("web01.qcow2");
    const auto domain = connection.define(kDomain);
    virt::start(domain);
    for (const char* xml : {"<domaincheckpoint><name>c1</name></domaincheckpoint>",
                            "<domaincheckpoint><name>c2</name></domaincheckpoint>"})
      virDomainCheckpointFree(virDomainCheckpointCreateXML(domain.handle(), xml, 0));
    domain.set_autostart(true);
    virt::put_metadata_part(domain, {.name = "master", .attributes = {{"gold", "yes"}}});
  }

  virt::Domain web() const { return connection.domain("web01"); }
  virt::Domain other() const { return connection.domain("test"); }

  void make_volume(const std::string& name) const {
    const auto pool = virStoragePoolLookupByName(connection.handle(), "default-pool");
    const std::string xml = "<volume><name>" + name + "</name><capacity>1048576</capacity></volume>";
    virStorageVolFree(virStorageVolCreateXML(pool, xml.c_str(), 0));
    virStoragePoolFree(pool);
  }
  bool has_image() const { return virt::list_images(connection, {}).images.contains("/default-pool/web01.qcow2"); }

  // What has to be as it was. The test driver takes no checkpoints again: those are the end-to-end tests'.
  std::string description() const {
    const auto domain = web();
    std::string text = domain.uuid() + (domain.autostart() ? " autostart" : "");
    if (const auto part = virt::metadata_part(domain, "master")) text += " gold " + part->attribute("gold");
    if (retirement_of(domain)) text += " retired";
    return text;
  }

  // Calls `action` with an observer that kills at its `number`th call; false: it was done before.
  static bool killed(int number, const std::function<void(const StepObserver&)>& action) {
    int calls = 0;
    try {
      action([&](const PlannedStep&, Progress) {
        if (calls++ == number) throw Killed{};
      });
      return false;
    } catch (const Killed&) {
      return true;
    }
  }

  bool retire_killed(int number, const RetireOptions& options = {}) {
    return killed(number, [&](const auto& observer) {
      retire(ctx, connection, to_retire(connection, "web01"), options, observer);
    });
  }
  bool restore_killed(int number) {
    return killed(number,
                  [&](const auto& observer) { restore(ctx, connection, to_restore(connection, "web01"), observer); });
  }
  void expect_in_trash() const {
    EXPECT_FALSE(connection.find_domain("web01"));
    const auto all = tombstones(connection);
    ASSERT_EQ(all.size(), 1U);
    EXPECT_TRUE(all[0].in_trash());
    EXPECT_FALSE(all[0].unfinished());
    EXPECT_EQ(all[0].retirement.name, "web01");
    EXPECT_FALSE(all[0].domain.autostart());
    EXPECT_TRUE(virt::moments(all[0].domain, virt::MomentKind::checkpoint).empty());
    EXPECT_EQ(all[0].retirement.checkpoints.size(), 2U) << "written down, wherever it was killed";
    EXPECT_TRUE(has_image());
  }

  base::Context ctx;
  virt::Connection connection{"test:///default"};
};

std::optional<Code> code_of(const std::function<void()>& action, std::string* text = nullptr) {
  try {
    action();
  } catch (const base::Error& e) {
    if (text != nullptr) *text = e.what();
    return e.code();
  }
  return std::nullopt;
}

const RetireOptions kPurge{.aim = Aim::purge};

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
  std::string other = kDomain;
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
  ASSERT_EQ(plan.size(), all_steps().size());
  for (std::size_t i = 0; i < plan.size(); ++i) {
    EXPECT_EQ(plan[i].step, all_steps()[i]);
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
