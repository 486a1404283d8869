// muster vm create against a real libvirtd: what QEMU's own tools find in the images, and what is left when things go
// wrong or muster is killed. guest_life_test.cc has what a real guest makes of its seed.
#include <filesystem>

#include <signal.h>

#include "tests/e2e/bad_peer.h"
#include "tests/e2e/on_hypervisor.h"
#include "tests/e2e/process_table.h"
#include "vm/creation.h"
#include "vm/creation_plan.h"

namespace muster::e2e {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMib = 1U << 20;

class Create : public OnHypervisor {
 protected:
  static void SetUpTestSuite() { start_with_network(); }
  void SetUp() override {
    OnHypervisor::SetUp();
    if (!IsSkipped()) before_ = left();
  }

  static std::string image(const std::string& name) { return hypervisor().directory() + "/" + name; }
  // All that a create could leave.
  static std::string left() {
    return hypervisor().virsh({"list", "--all", "--name"}) + listing(hypervisor().directory());
  }

  Launch create(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "create");
    return vm_command(arguments);
  }
  static void forget(const std::string& machine) {
    hypervisor().try_virsh({"destroy", machine});
    hypervisor().virsh({"undefine", machine});
    for (const auto& entry : std::filesystem::directory_iterator(hypervisor().directory()))
      if (entry.path().filename().string().starts_with(machine + "-")) std::filesystem::remove(entry.path());
  }
  static json image_info(const std::string& name) {
    const auto done = run({.argv = {"qemu-img", "info", "-U", "--output=json", image(name)}});
    return json::parse(done.out, nullptr, false);
  }

  std::string before_;
};

TEST_F(Create, DisksAreWhatWasAsked) {
  ASSERT_EQ(run({.argv = {"qemu-img", "create", "-q", "-f", "qcow2", image("gold.qcow2"), "40M"}}).code, 0);
  const std::vector<std::string> words = {"web01",
                                          "--disk",
                                          "1G",
                                          "--disk",
                                          "32M,preallocate=metadata",
                                          "--disk",
                                          "16M,preallocate=falloc",
                                          "--disk",
                                          "16M,preallocate=full",
                                          "--disk",
                                          "16M,format=raw,preallocate=full,bus=scsi",
                                          "--disk",
                                          "100M,from=gold.qcow2",
                                          "--disk",
                                          "from=images/gold.qcow2,format=raw",
                                          "--disk",
                                          "200M,backing=" + image("gold.qcow2"),
                                          "--cpus",
                                          "2",
                                          "--memory",
                                          "64M",
                                          "--network",
                                          "none"};
  auto plan = words;
  plan.emplace_back("--dry-run");
  const std::string there = left();
  const auto planned = run(create(plan));
  EXPECT_EQ(planned.code, 0) << told(planned);
  EXPECT_TRUE(contains(planned.out, "volume web01-vda.qcow2 of pool images: qcow2, 1G\n")) << planned.out;
  EXPECT_TRUE(contains(planned.out, "<target dev='vda' bus='virtio'/>")) << planned.out;
  EXPECT_EQ(left(), there);

  const auto done = run(create(words));
  ASSERT_EQ(done.code, 0) << told(done);
  EXPECT_EQ(done.out, "web01: made, shut off\n");
  EXPECT_TRUE(contains(done.err, "has no KVM")) << done.err;
  const auto size = [](const char* name) { return image_info(name).value("virtual-size", 0ULL) / kMib; };
  const auto taken = [](const char* name) { return image_info(name).value("actual-size", 0ULL); };
  EXPECT_EQ(size("web01-vda.qcow2"), 1024U);
  EXPECT_LT(taken("web01-vda.qcow2"), kMib);
  EXPECT_EQ(size("web01-vdb.qcow2"), 32U);
  EXPECT_LT(taken("web01-vdb.qcow2"), 8 * kMib);
  // Tables that are there: the image is as long as its disk, though its blocks are not taken.
  EXPECT_GE(std::filesystem::file_size(image("web01-vdb.qcow2")), 32 * kMib);
  for (const char* whole : {"web01-vdc.qcow2", "web01-vdd.qcow2", "web01-sda.raw"}) {
    EXPECT_EQ(size(whole), 16U) << whole;
    EXPECT_GE(taken(whole), 16 * kMib) << whole;
  }
  EXPECT_EQ(run({.argv = {"qemu-img", "check", "-q", image("web01-vdd.qcow2")}}).code, 0);
  EXPECT_EQ(image_info("web01-sda.raw").value("format", ""), "raw");
  EXPECT_EQ(size("web01-vde.qcow2"), 100U);
  EXPECT_FALSE(image_info("web01-vde.qcow2").contains("backing-filename"));
  EXPECT_EQ(size("web01-vdf.raw"), 40U);
  EXPECT_EQ(size("web01-vdg.qcow2"), 200U);
  EXPECT_EQ(image_info("web01-vdg.qcow2").value("backing-filename", ""), image("gold.qcow2"));
  EXPECT_EQ(image_info("web01-vdg.qcow2").value("backing-filename-format", ""), "qcow2");

  const std::string xml = hypervisor().virsh({"dumpxml", "--inactive", "web01"});
  EXPECT_TRUE(contains(xml, "machine='pc-q35-")) << xml;
  EXPECT_TRUE(contains(xml, "org.qemu.guest_agent.0") && contains(xml, "<rng ") && contains(xml, "<console "));
  EXPECT_FALSE(contains(xml, "urn:x-muster")) << xml;
  EXPECT_FALSE(contains(xml, "<interface"));
  hypervisor().virsh({"start", "web01"});
  forget("web01");
  std::filesystem::remove(image("gold.qcow2"));
}

TEST_F(Create, WhatCannotBeMadeLeavesNothing) {
  const auto fails = [&](const std::vector<std::string>& words, int code, const std::string& why) {
    const auto done = run(create(words));
    EXPECT_EQ(done.code, code) << told(done);
    EXPECT_TRUE(contains(done.err, why)) << told(done);
    EXPECT_EQ(left(), before_);
  };
  hypervisor().define({.name = "old"});
  before_ = left();
  fails({"old", "--disk", "1G"}, 5, "'old' is there already");
  fails({"web01", "--disk", "1G,pool=nowhere"}, 2, "no storage pool 'nowhere'");
  fails({"web01", "--disk", "from=nothing.qcow2"}, 2, "no volume 'nothing.qcow2' in storage pool 'images'");
  fails({"web01", "--disk", "from=/nowhere/x.qcow2"}, 2, "is in no active storage pool");
  fails({"web01", "--disk", "1G", "--network", "network=nowhere"}, 2, "no network 'nowhere'");
  fails({"web01", "--disk", "64P,preallocate=full"}, 2, "size '64P'");
  fails({"web01", "--disk", "900T,preallocate=full"}, 14, "and 'web01' takes");
  // A machine that does not start.
  fails({"web01", "--disk", "1G,pool=images", "--network", "bridge=nobridge", "--start"}, 1, "nobridge");
  forget("old");
  std::filesystem::remove(image("old"));
}

// What the plan cannot foresee: the machine is defined and two volumes are made when the third does not fit.
TEST_F(Create, AFullPoolIsNamedAndWhatTheTrashHolds) {
  std::filesystem::create_directory(image("small"));
  ASSERT_EQ(
      run({.argv = hypervisor().inside({"mount", "-t", "tmpfs", "-o", "size=16m", "small", image("small")})}).code, 0);
  hypervisor().virsh({"pool-create-as", "small", "dir", "--target", image("small")});
  ASSERT_EQ(run(create({"old", "--disk", "4M,pool=small,preallocate=full"})).code, 0);
  ASSERT_EQ(vm({"delete", "old", "--yes"}).code, 0);
  before_ = left();
  const auto at_once = run(create({"web01", "--disk", "14M,pool=small,preallocate=falloc"}));
  EXPECT_EQ(at_once.code, 14) << told(at_once);
  EXPECT_TRUE(contains(at_once.err, "pool 'small' has 1") && contains(at_once.err, "and 'web01' takes 14 MiB at once"))
      << told(at_once);
  const auto late = run(create({"web01", "--disk", "1G,pool=images", "--disk", "1G,pool=small", "--disk",
                                "11900K,pool=small,preallocate=falloc"}));
  EXPECT_EQ(late.code, 14) << told(late);
  EXPECT_TRUE(contains(late.err, "No space left") && contains(late.err, "; pool 'small' has ")) << told(late);
  for (const auto& full : {at_once, late}) EXPECT_TRUE(contains(full.err, "; 1 in the trash hold 4")) << told(full);
  EXPECT_EQ(left(), before_);
  EXPECT_FALSE(contains(hypervisor().virsh({"vol-list", "small"}), "web01"));
  EXPECT_EQ(vm({"trash", "empty", "--older-than", "0s", "--yes"}).code, 0);
  EXPECT_EQ(run(create({"web01", "--disk", "14M,pool=small,preallocate=falloc"})).code, 0);
  ASSERT_EQ(vm({"delete", "web01", "--yes", "--purge"}).code, 0);
  hypervisor().virsh({"pool-destroy", "small"});
  run({.argv = hypervisor().inside({"umount", image("small")})});
  std::filesystem::remove(image("small"));
}

// A program killed after each of the steps in turn; what is there then, muster sees and removes.
TEST_F(Create, AMakerMayDieAfterAnyStep) {
  const virt::Connection connection(hypervisor().uri());
  const base::Context ctx;
  vm::MachineRequest request;
  request.name = "web01";
  request.memory_bytes = 64 * kMib;
  request.disks = {vm::parse_disk("2M"), vm::parse_disk("1M,format=raw,preallocate=full,bus=scsi")};
  request.seed = vm::SeedRequest{.host_name = "web01", .ssh_keys = {}, .user_data = {}, .network_config = {}};
  const std::vector<std::string> words = {"web01", "--disk", "1M", "--hostname", "web01", "--memory", "64M"};
  auto dead = vm::mark_of_this_process();
  dead.started = 1;  // of this pid, another process
  for (std::size_t steps = 1, last = 6; steps <= last; ++steps) {
    SCOPED_TRACE(steps);
    {
      vm::Creation creation(connection, vm::plan_creation(ctx, connection, request, {}).making(), dead);
      for (std::size_t i = 0; i < steps; ++i) creation.step(ctx);
      EXPECT_EQ(creation.done(), steps == last);
    }
    EXPECT_EQ(contains(left(), "web01-sda.raw"), steps > 2) << left();
    const auto again = run(create(words));
    EXPECT_EQ(again.code, steps == last ? 5 : 0) << told(again);
    EXPECT_TRUE(contains(again.err, steps == last ? "'web01' is there already" : "'web01' was left half made"))
        << told(again);
    EXPECT_EQ(contains(left(), "web01-sda.raw"), steps == last) << left();
    EXPECT_EQ(contains(again.err, "web01-seed.iso"), steps >= 4 && steps < last) << told(again);
    hypervisor().virsh({"start", "web01"});
    forget("web01");
    EXPECT_EQ(left(), before_);
  }
}

TEST_F(Create, WhatAKilledOneLeftCanBeDeleted) {
  const virt::Connection connection(hypervisor().uri());
  const base::Context ctx;
  vm::MachineRequest request;
  request.name = "web01";
  request.memory_bytes = 64 * kMib;
  request.disks = {vm::parse_disk("2M"), vm::parse_disk("1M,format=raw")};
  auto dead = vm::mark_of_this_process();
  dead.started = 1;  // of this pid, another process
  vm::Creation creation(connection, vm::plan_creation(ctx, connection, request, {}).making(), dead);
  for (int i = 0; i < 3; ++i) creation.step(ctx);
  EXPECT_TRUE(contains(left(), "web01-vda.qcow2")) << left();
  const auto plan = vm({"delete", "web01", "--dry-run"});
  EXPECT_TRUE(contains(plan.out, "remove what was half made")) << told(plan);
  const auto done = vm({"delete", "web01", "--yes"});
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_TRUE(contains(done.out, "web01: gone for good; removed ")) << told(done);
  EXPECT_EQ(left(), before_);
}

TEST_F(Create, ItsSeedGoesWithIt) {
  const std::vector<std::string> words = {"web01", "--disk", "1M", "--hostname", "web01", "--memory", "64M"};
  ASSERT_EQ(run(create(words)).code, 0);
  const auto gone = vm({"delete", "web01", "--purge", "--yes"});
  EXPECT_EQ(gone.code, 0) << told(gone);
  EXPECT_EQ(left(), before_) << told(gone);
  // Not one that somebody else has in the drive, too.
  ASSERT_EQ(run(create(words)).code, 0);
  ASSERT_EQ(run(create({"web02", "--iso", image("web01-seed.iso"), "--memory", "64M"})).code, 0);
  const auto kept = vm({"delete", "web01", "--purge", "--yes"});
  EXPECT_TRUE(contains(left(), "web01-seed.iso")) << told(kept);
  EXPECT_TRUE(contains(kept.out + kept.err, "domain 'web02'")) << told(kept);
  forget("web02");
  if (contains(left(), "web01\n")) forget("web01");
  std::filesystem::remove(image("web01-seed.iso"));
}

// A worker killed while a volume is written.
TEST_F(Create, TheNextTryRemovesWhatAKilledOneLeft) {
  MusterProcess muster(create({"web01", "--disk", "1M", "--disk", "1G,format=raw,preallocate=full"}));
  ASSERT_TRUE(wait_until([&] { return std::filesystem::exists(image("web01-vdb.raw")); }));
  const auto tree = process_tree(muster.pid());
  ASSERT_EQ(tree.size(), 2U);
  ::kill(tree.back(), SIGKILL);
  const auto killed = muster.finish();
  EXPECT_NE(killed.code, 0) << told(killed);
  EXPECT_NE(left(), before_);
  // Half of it is nothing to boot from; that somebody tried is no hindrance.
  hypervisor().virsh({"start", "web01"});
  EXPECT_EQ(hypervisor().virsh({"domblklist", "web01"}), "");
  const auto plan = run(create({"web01", "--disk", "1M", "--dry-run"}));
  EXPECT_EQ(plan.code, 0) << told(plan);
  const auto again = run(create({"web01", "--disk", "1M"}));
  EXPECT_EQ(again.code, 0) << told(again);
  EXPECT_TRUE(contains(again.err, "'web01' was left half made")) << told(again);
  EXPECT_TRUE(contains(again.err, "web01-vdb.raw")) << told(again);
  EXPECT_FALSE(std::filesystem::exists(image("web01-vdb.raw")));
  EXPECT_EQ(image_info("web01-vda.qcow2").value("virtual-size", 0ULL), kMib);
  forget("web01");
  EXPECT_EQ(left(), before_);
}

TEST_F(Create, AnInterruptOrADeadMusterUndoesWhatWasMade) {
  for (const int how : {SIGTERM, SIGKILL}) {
    MusterProcess muster(create({"web01", "--disk", "1M", "--disk", "1G,format=raw,preallocate=full"}));
    ASSERT_TRUE(wait_until([&] { return std::filesystem::exists(image("web01-vdb.raw")); }));
    const auto tree = process_tree(muster.pid());
    ::kill(muster.pid(), how);
    const auto ended = muster.finish();
    EXPECT_NE(ended.code, 0) << told(ended);
    EXPECT_TRUE(wait_until([&] { return left() == before_; }, 20'000)) << left();
    for (const pid_t pid : tree) EXPECT_TRUE(wait_until([&] { return !is_running(pid); }));
  }
}

TEST_F(Create, AFileIsAppliedAgainAndAgain) {
  const auto described = [&](const std::string& size) {
    write(file("machines.yaml"), "connection: " + hypervisor().uri() +
                                     "\ndefaults:\n  memory: 64M\n  networks: [user]\nmachines:\n"
                                     "  web01:\n    disks: [{size: 1M}]\n    start: true\n  web02:\n    disks: [" +
                                     size + "]\n");
    auto launch = create({"--file", file("machines.yaml"), "-q"});
    return run(launch);
  };
  const auto first = described("2M");
  EXPECT_EQ(first.code, 0) << told(first);
  EXPECT_TRUE(contains(first.out, "web01: made, running\n") && contains(first.out, "web02: made, shut off\n"));
  const auto second = described("2M");
  EXPECT_EQ(second.code, 0) << told(second);
  EXPECT_TRUE(contains(second.out, "web01: unchanged, running\n") && contains(second.out, "web02: unchanged"))
      << told(second);
  const auto other = described("3M");
  EXPECT_EQ(other.code, 3) << told(other);
  EXPECT_TRUE(contains(other.err, "size of disk vda is 2 MiB, not 3 MiB")) << told(other);
  EXPECT_EQ(image_info("web02-vda.qcow2").value("virtual-size", 0ULL), 2 * kMib);
  forget("web01");
  const auto missing = described("2M");
  EXPECT_EQ(missing.code, 0) << told(missing);
  EXPECT_TRUE(contains(missing.out, "web01: made") && contains(missing.out, "web02: unchanged")) << told(missing);
  forget("web01");
  forget("web02");
}

TEST_F(Create, ManyAreMadeAtOnce) {
  constexpr int kMany = 16;
  std::string text = "connection: " + hypervisor().uri() + "\ndefaults: {memory: 64M, disks: [1M]}\nmachines:\n";
  for (int i = 0; i < kMany; ++i) text += "  many" + std::to_string(i) + ": {hostname: m" + std::to_string(i) + "}\n";
  write(file("many.yaml"), text);
  const auto done = run(create({"--file", file("many.yaml"), "--json"}));
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_EQ(summary_of(json_lines(done.out)).value("ok", 0), kMany);
  EXPECT_EQ(done.err.find("has no KVM"), done.err.rfind("has no KVM")) << "once, and not sixteen times: " << done.err;
  for (int i = 0; i < kMany; ++i) {
    const std::string name = "many" + std::to_string(i);
    EXPECT_EQ(image_info(name + "-vda.qcow2").value("virtual-size", 0ULL), kMib) << name;
    EXPECT_TRUE(
        contains(base::read_file(image(name + "-seed.iso"), kMib), "local-hostname: 'm" + std::to_string(i) + "'"));
    forget(name);
  }
  EXPECT_EQ(left(), before_);
}

TEST_F(Create, AnImageThatSomebodyWritesToIsRecognisedByAnyName) {
  run({.argv = {"qemu-img", "create", "-q", "-f", "qcow2", image("busy.qcow2"), "64M"}});
  std::filesystem::create_directory(image("names"));
  std::filesystem::create_symlink(image("busy.qcow2"), image("names/other.qcow2"));
  const auto expect_refused = [&](const std::string& writer, const std::string& disk) {
    const auto done = vm({"create", "web01", "--disk", disk, "--memory", "64M"});
    EXPECT_EQ(done.code, 5) << told(done);
    EXPECT_TRUE(contains(done.err, "is a disk of '" + writer + "'")) << told(done);
  };
  hypervisor().define({.name = "linked", .virtio_disk = image("names/other.qcow2")});
  expect_refused("linked", "backing=busy.qcow2");
  hypervisor().virsh({"start", "linked"});
  expect_refused("linked", "from=busy.qcow2");
  hypervisor().virsh({"destroy linked; undefine linked"});

  std::string xml = hypervisor().xml_of({.name = "pooled", .virtio_disk = image("busy.qcow2")});
  xml.replace(xml.find("<disk type='file'"), 17, "<disk type='volume'");
  const std::string source = "<source file='" + image("busy.qcow2") + "'/>";
  hypervisor().define_xml(xml.replace(xml.find(source), source.size(), "<source pool='images' volume='busy.qcow2'/>"));
  expect_refused("pooled", "backing=busy.qcow2");
  hypervisor().virsh({"undefine", "pooled"});
  std::filesystem::remove_all(image("names"));
  std::filesystem::remove(image("busy.qcow2"));
  EXPECT_EQ(left(), before_);
}

class CreateAnywhere : public EndToEnd {
 protected:
  Finished create(std::vector<std::string> arguments) {
    Launch launch = command({});
    launch.argv = in_clean_environment({program("muster"), "vm", "create"}, {"HOME=" + home()});
    launch.argv.insert(launch.argv.end(), arguments.begin(), arguments.end());
    return run(launch);
  }
};

TEST_F(CreateAnywhere, WaitingForSshWaitsForItsGreeting) {
  const SshServer server(accepting_key());
  const BadPeer relay({.behaviour = Misbehaviour::closes_at_once, .first = 2, .then = server.endpoint()});
  const auto address = relay.endpoint().address + ":" + std::to_string(relay.endpoint().port);
  const auto done = create({"-c", "test:///default", "web01", "--start", "--wait", "ssh", "--wait-address", address});
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_TRUE(contains(done.out, "web01: made, running, 127.")) << told(done);
  const BadPeer silent(Misbehaviour::says_nothing);
  const auto late =
      create({"-c", "test:///default", "web01", "--start", "--wait", "ssh", "--timeout", "1s", "--wait-address",
              silent.endpoint().address + ":" + std::to_string(silent.endpoint().port)});
  EXPECT_EQ(late.code, 1) << told(late);
  EXPECT_TRUE(contains(late.err, "made and started, but 'web01' has no SSH server that answers on port "))
      << told(late);
}

TEST_F(CreateAnywhere, WhatMakesNoSenseIsToldBeforeAnythingIsAsked) {
  const auto fails = [&](const std::vector<std::string>& words, const std::string& why) {
    const auto done = create(words);
    EXPECT_EQ(done.code, 2) << told(done);
    EXPECT_TRUE(contains(done.err, why)) << told(done);
  };
  const std::string nobody = "qemu+unix:///system?socket=" + file("nobody");
  fails({"web01", "--disk", "1G"}, "-c URI");
  fails({"-c", nobody, "web01", "--disk", "1X"}, "size '1X'");
  fails({"-c", nobody, "web01", "--wait", "ssh"}, "--start");
  fails({"-c", nobody, "web01", "--start", "--wait", "forever"}, "write running, off, ip, agent, ssh or port:N");
  fails({"-c", nobody, "web01", "--start", "--wait", "ip", "--wait-address", "127.0.0.1"}, "--wait ssh");
  fails({"-c", nobody, "--file", "x.yaml", "--disk", "1G"}, "machines of a file are described there");
  fails({"-c", nobody, "--file", file("none.yaml")}, "none.yaml");
  fails({"-c", nobody, "web01", "--ssh-key", file("none.pub")}, "none.pub");
  fails({"-c", nobody, "web01", "-l", "web02"}, "nothing to choose from");
  fails({"-c", nobody}, "muster vm create VM");
  EXPECT_EQ(create({"-c", nobody, "web01", "--expect", "2"}).code, 5);
}

TEST_F(CreateAnywhere, AnInventorysHostSaysWhere) {
  use({Host{"web01"}.set("hypervisor", "test:///default").set("domain", "web01.internal"), Host{"plain"}});
  const auto done = muster({"vm", "create", "web01", "--disk", "1G", "--dry-run"});
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_TRUE(contains(done.out, "web01: create on test:///default\n")) << done.out;
  EXPECT_TRUE(contains(done.out, "<name>web01.internal</name>")) << done.out;
  EXPECT_TRUE(contains(muster({"vm", "create", "plain", "--disk", "1G"}).err, "says no hypervisor"));
  EXPECT_TRUE(contains(muster({"vm", "create", "web02", "--disk", "1G"}).err, "no host 'web02'"));
}

}  // namespace
}  // namespace muster::e2e
