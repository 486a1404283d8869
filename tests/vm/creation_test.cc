// Making machines on libvirt's own test driver, whose pool keeps no bytes: what is there after each step, and what the
// next try makes of it. Real volumes and seeds are tests/e2e/create_test.cc's.
#include "vm/creation.h"

#include <functional>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "virt/domain_xml.h"
#include "virt/lifecycle.h"
#include "virt/storage.h"
#include "vm/compare_machine.h"
#include "vm/creation_plan.h"

namespace muster::vm {
namespace {

using base::Code;

constexpr const char* kPool = "default-pool";

MachineRequest small_request() {
  MachineRequest request;
  request.name = "web01";
  request.disks = {parse_disk("2G"), parse_disk("1G,format=raw,bus=scsi")};
  request.autostart = true;
  return request;
}

// A process that is over, as a mark names it.
virt::CreationMark dead_maker() {
  auto mark = mark_of_this_process();
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  int status = 0;
  ::waitpid(child, &status, 0);
  mark.pid = child;
  return mark;
}

struct Events : base::EventSink {
  void message(base::Severity, const std::string& text) override { all += text + "\n"; }
  std::string all;
};

struct MakingMachines : testing::Test {
  std::stop_source source;
  Events events;
  base::Context ctx{.stop = source.get_token(), .events = &events};
  virt::Connection connection{"test:///default"};

  std::optional<Code> code_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const base::Error& e) {
      told = e.what();
      return e.code();
    }
    return std::nullopt;
  }
  CreationPlan plan(const MachineRequest& request) { return plan_creation(ctx, connection, request, {}); }
  bool has_volume(const std::string& name) { return virt::pool(connection, kPool).find(name).has_value(); }
  void expect_nothing_left() {
    EXPECT_FALSE(connection.find_domain("web01"));
    EXPECT_FALSE(has_volume("web01-vda.qcow2"));
    EXPECT_FALSE(has_volume("web01-sda.raw"));
  }
  void expect_whole() {
    const auto domain = connection.domain("web01");
    EXPECT_FALSE(virt::creation_mark(domain));
    EXPECT_TRUE(domain.autostart());
    const auto disks = virt::DomainXml(domain.xml(virt::Domain::Xml::definition)).disks();
    ASSERT_EQ(disks.size(), 2U);
    EXPECT_EQ(disks[0].source, "/default-pool/web01-vda.qcow2");
    EXPECT_EQ(disks[1].source, "/default-pool/web01-sda.raw");
    EXPECT_TRUE(has_volume("web01-vda.qcow2") && has_volume("web01-sda.raw"));
    EXPECT_EQ(differences(connection, domain, small_request()), std::vector<std::string>{});
  }

  std::string told;
};

TEST_F(MakingMachines, AMachineIsMadeAsAsked) {
  const auto domain = create(ctx, connection, small_request(), {.start = true});
  EXPECT_EQ(domain.state(), virt::State::running);
  expect_whole();
  const auto volume = virt::facts(virt::pool(connection, kPool).volume("web01-vda.qcow2"));
  EXPECT_EQ(volume.capacity_bytes, 2ULL << 30);
}

// The hypervisor's choice, where libvirt tells it beforehand.
TEST_F(MakingMachines, UefiIsWithoutSecureBoot) {
  auto made = plan(small_request());
  made.request.firmware = Firmware::uefi;
  EXPECT_NE(made.xml().find("<os firmware='efi'>"), std::string::npos) << made.xml();
  EXPECT_NE(made.xml().find("<feature enabled='no' name='secure-boot'/>"), std::string::npos) << made.xml();
  made.offer.uefi_loader = "/usr/share/a&b.fd";
  EXPECT_EQ(made.xml().find("firmware="), std::string::npos) << made.xml();
  EXPECT_NE(made.xml().find("type='pflash'>/usr/share/a&amp;b.fd<"), std::string::npos) << made.xml();
}

TEST_F(MakingMachines, PlanningChangesNothing) {
  const auto made = plan(small_request());
  EXPECT_EQ(made.volumes.size(), 2U);
  EXPECT_NE(made.xml().find("<source file='/default-pool/web01-vda.qcow2'/>"), std::string::npos) << made.xml();
  expect_nothing_left();
}

// A program killed after any of the steps: nothing of it is in the way of the next one, and nothing stays.
TEST_F(MakingMachines, WhatAKilledProgramLeftIsRemovedByTheNext) {
  const std::size_t steps = [&] {
    Creation creation(connection, plan(small_request()).making(), dead_maker());
    std::size_t count = 0;
    for (; !creation.done(); ++count) creation.step(ctx);
    creation.undo();
    return count;
  }();
  ASSERT_EQ(steps, 5U);  // the name, two volumes, the definition, autostart
  expect_nothing_left();
  const auto maker = dead_maker();
  for (std::size_t killed_after = 1; killed_after <= steps; ++killed_after) {
    SCOPED_TRACE(killed_after);
    {
      Creation creation(connection, plan(small_request()).making(), maker);
      for (std::size_t i = 0; i < killed_after; ++i) creation.step(ctx);
    }
    events.all.clear();
    if (killed_after >= 4) {
      // Whole but for its autostart: a machine like any other.
      EXPECT_EQ(code_of([&] { create(ctx, connection, small_request(), {}); }), Code::refused);
      EXPECT_NE(told.find("'web01' is there already"), std::string::npos) << told;
      EXPECT_FALSE(find_leftover(connection, "web01"));
      virt::undefine(connection.domain("web01"), virt::FirmwareState::removed);
      for (const char* name : {"web01-vda.qcow2", "web01-sda.raw"})
        virt::remove(virt::pool(connection, kPool).volume(name));
      continue;
    }
    const auto leftover = find_leftover(connection, "web01");
    ASSERT_TRUE(leftover);
    EXPECT_EQ(life_of(leftover->mark), MakerLife::gone);
    EXPECT_EQ(leftover->mark.volumes.size(), 2U);
    create(ctx, connection, small_request(), {});
    EXPECT_NE(events.all.find("'web01' was left half made"), std::string::npos) << events.all;
    if (killed_after == 3) {
      EXPECT_NE(events.all.find("web01-sda.raw"), std::string::npos) << events.all;
    }
    expect_whole();
    virt::undefine(connection.domain("web01"), virt::FirmwareState::removed);
    for (const char* name : {"web01-vda.qcow2", "web01-sda.raw"})
      virt::remove(virt::pool(connection, kPool).volume(name));
  }
}

TEST_F(MakingMachines, WhatIsStillBeingMadeIsBusy) {
  Creation creation(connection, plan(small_request()).making(), mark_of_this_process());
  creation.step(ctx);
  creation.step(ctx);
  EXPECT_EQ(code_of([&] { create(ctx, connection, small_request(), {}); }), Code::busy);
  EXPECT_NE(told.find("still at it"), std::string::npos) << told;
  EXPECT_TRUE(has_volume("web01-vda.qcow2"));
  creation.undo();
  expect_nothing_left();
}

TEST_F(MakingMachines, WhatAnotherMachineMakesIsAskedAbout) {
  auto maker = dead_maker();
  maker.machine = "another boot";
  {
    Creation creation(connection, plan(small_request()).making(), maker);
    creation.step(ctx);
    creation.step(ctx);
  }
  EXPECT_EQ(code_of([&] { create(ctx, connection, small_request(), {}); }), Code::refused);
  EXPECT_NE(told.find("--yes"), std::string::npos) << told;
  EXPECT_NE(told.find("web01-vda.qcow2"), std::string::npos) << told;
  create(ctx, connection, small_request(), {.take_over = TakeOver::when_unknown});
  expect_whole();
}

TEST_F(MakingMachines, ALeftVolumeThatAnotherMachineHasIsNotRemoved) {
  {
    Creation creation(connection, plan(small_request()).making(), dead_maker());
    creation.step(ctx);
    creation.step(ctx);
  }
  std::string xml = connection.domain("test").xml(virt::Domain::Xml::portable);
  virt::power_off(connection.domain("test"));
  xml.replace(xml.find("/guest/diskimage1"), 17, "/default-pool/web01-vda.qcow2");
  connection.define(xml);
  EXPECT_EQ(code_of([&] { create(ctx, connection, small_request(), {}); }), Code::refused);
  EXPECT_NE(told.find("is used by domain 'test' now"), std::string::npos) << told;
  EXPECT_TRUE(has_volume("web01-vda.qcow2"));
}

TEST_F(MakingMachines, AMarkThatCameWithACopiedDefinitionIsNone) {
  {
    Creation creation(connection, plan(small_request()).making(), dead_maker());
    creation.step(ctx);
    creation.step(ctx);
  }
  std::string xml = connection.domain("web01").xml(virt::Domain::Xml::portable);
  xml.replace(xml.find("<name>web01"), 11, "<name>web02");
  xml.replace(xml.find("<uuid>") + 6, 8, "99999999");
  connection.define(xml);
  EXPECT_FALSE(find_leftover(connection, "web02")) << "its volumes are another machine's";
  EXPECT_TRUE(find_leftover(connection, "web01"));
}

TEST_F(MakingMachines, WhatSomebodyEndedByHandIsHalfMadeNoMore) {
  {
    Creation creation(connection, plan(small_request()).making(), dead_maker());
    creation.step(ctx);
    creation.step(ctx);
  }
  const auto leftover = find_leftover(connection, "web01");
  ASSERT_TRUE(leftover);
  std::string xml = connection.domain("web01").xml(virt::Domain::Xml::portable);
  const std::string disk =
      "<disk type='file' device='disk'><source file='/default-pool/web01-vda.qcow2'/><target dev='vda'/></disk>";
  connection.define(xml.insert(xml.find("<devices>") + 9, disk));
  EXPECT_FALSE(find_leftover(connection, "web01"));
  EXPECT_EQ(code_of([&] { remove(ctx, connection, *leftover); }), Code::busy) << "also where that was just now";
  EXPECT_EQ(code_of([&] { create(ctx, connection, small_request(), {}); }), Code::refused);
  EXPECT_TRUE(has_volume("web01-vda.qcow2"));
}

// Each step fails in turn, being cancelled before it.
TEST_F(MakingMachines, WhatGoesWrongIsUndone) {
  for (std::size_t failing = 0; failing < 5; ++failing) {
    SCOPED_TRACE(failing);
    Creation creation(connection, plan(small_request()).making(), mark_of_this_process());
    for (std::size_t i = 0; i < failing; ++i) creation.step(ctx);
    creation.undo();
    expect_nothing_left();
  }
  // The second volume came to be there since the plan: it is not ours, and stays.
  Creation creation(connection, plan(small_request()).making(), mark_of_this_process());
  creation.step(ctx);
  creation.step(ctx);
  virt::create_volume(ctx, virt::pool(connection, kPool),
                      {.name = "web01-sda.raw", .format = virt::VolumeFormat::raw, .capacity_bytes = 1U << 20});
  EXPECT_EQ(code_of([&] { creation.step(ctx); }), Code::refused);
  EXPECT_NE(told.find("has come to be there meanwhile"), std::string::npos) << told;
  EXPECT_EQ(virt::creation_mark(connection.domain("web01"))->volumes.size(), 1U);
  creation.undo();
  EXPECT_FALSE(has_volume("web01-vda.qcow2"));
  EXPECT_TRUE(has_volume("web01-sda.raw"));
}

TEST_F(MakingMachines, WhatCannotBeIsRefusedBeforeAnythingIsMade) {
  auto request = small_request();
  request.disks[0].pool = "nowhere";
  EXPECT_EQ(code_of([&] { create(ctx, connection, request, {}); }), Code::not_found);
  EXPECT_NE(told.find("there are: default-pool"), std::string::npos) << told;
  request = small_request();
  request.disks[0] = parse_disk("200G,preallocate=falloc");
  EXPECT_EQ(code_of([&] { create(ctx, connection, request, {}); }), Code::no_space);
  request = small_request();
  request.disks[0] = parse_disk("from=nothing.qcow2");
  EXPECT_EQ(code_of([&] { create(ctx, connection, request, {}); }), Code::not_found);
  request = small_request();
  request.disks[0] = parse_disk("from=/somewhere/image.qcow2");
  EXPECT_EQ(code_of([&] { create(ctx, connection, request, {}); }), Code::not_found);
  EXPECT_NE(told.find("pool-define-as"), std::string::npos) << told;
  request = small_request();
  request.networks = {parse_network("network=nowhere")};
  EXPECT_EQ(code_of([&] { create(ctx, connection, request, {}); }), Code::not_found);
  request = small_request();
  request.firmware = Firmware::uefi;
  EXPECT_EQ(code_of([&] { create(ctx, connection, request, {}); }), Code::unsupported);
  expect_nothing_left();
  virt::create_volume(ctx, virt::pool(connection, kPool), {.name = "web01-vda.qcow2", .capacity_bytes = 1U << 20});
  EXPECT_EQ(code_of([&] { create(ctx, connection, small_request(), {}); }), Code::refused);
  EXPECT_NE(told.find("is not overwritten"), std::string::npos) << told;
  EXPECT_TRUE(has_volume("web01-vda.qcow2"));
  EXPECT_FALSE(connection.find_domain("web01"));
}

TEST_F(MakingMachines, AnImageIsNoSmallerAsADiskAndHoldsStill) {
  const auto pool = virt::pool(connection, kPool);
  const auto image = virt::create_volume(ctx, pool, {.name = "gold.qcow2", .capacity_bytes = 4ULL << 30});
  auto request = small_request();
  request.disks = {parse_disk("from=gold.qcow2")};
  EXPECT_EQ(plan(request).volumes.at(0).spec.capacity_bytes, 4ULL << 30);
  request.disks = {parse_disk("1G,backing=default-pool/gold.qcow2")};
  EXPECT_EQ(code_of([&] { plan(request); }), Code::refused);
  EXPECT_NE(told.find("would cut off its end"), std::string::npos) << told;
  std::string xml = connection.domain("test").xml(virt::Domain::Xml::portable);
  virt::power_off(connection.domain("test"));
  xml.replace(xml.find("/guest/diskimage1"), 17, image.path());
  connection.define(xml);
  request.disks = {parse_disk("8G,backing=gold.qcow2")};
  EXPECT_EQ(code_of([&] { plan(request); }), Code::refused);
  EXPECT_NE(told.find("is a disk of 'test'"), std::string::npos) << told;
  request.disks = {parse_disk("8G,from=gold.qcow2")};
  plan(request);
  virt::start(connection.domain("test"));
  EXPECT_EQ(code_of([&] { plan(request); }), Code::refused);
}

TEST_F(MakingMachines, DifferencesAreNamed) {
  const auto domain = create(ctx, connection, small_request(), {});
  auto other = small_request();
  other.cpus = 4;
  other.memory_bytes = 3ULL << 30;
  other.disks[0] = parse_disk("3G");
  other.disks.push_back(parse_disk("1G"));
  other.autostart = false;
  const auto all = differences(connection, domain, other);
  const std::vector<std::string> expected = {"cpus is 1, not 4", "memory is 1024 MiB, not 3072 MiB",
                                             "autostart is on, not off", "size of disk vda is 2048 MiB, not 3072 MiB",
                                             "disk vdb is not there"};
  EXPECT_EQ(all, expected);
}

}  // namespace
}  // namespace muster::vm
