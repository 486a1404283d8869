// muster vm and muster capabilities against libvirt's test driver, and against hypervisors that do not answer.
#include <signal.h>

#include "tests/e2e/bad_peer.h"
#include "tests/e2e/end_to_end.h"
#include "tests/e2e/process_table.h"
#include "tests/e2e/silent_socket.h"

namespace muster::e2e {
namespace {

using namespace std::chrono_literals;

class Vm : public EndToEnd {
 protected:
  // `muster ARGUMENT...`, without an inventory.
  Finished alone(std::vector<std::string> arguments) {
    Launch launch = command({});
    launch.argv = in_clean_environment({program("muster")}, {"HOME=" + home(), "TMPDIR=" + file("tmp")});
    launch.argv.insert(launch.argv.end(), arguments.begin(), arguments.end());
    return run(launch);
  }
  std::string silent_uri(const std::string& name) const { return "qemu+unix:///system?socket=" + file(name); }
};

TEST_F(Vm, ListsTheDomainsOfAConnection) {
  const auto text = alone({"vm", "list", "-q", "-c", "test:///default"});
  EXPECT_EQ(text.code, 0) << told(text);
  EXPECT_TRUE(contains(text.out, "NAME") && contains(text.out, "running") && contains(text.out, "192.168.122.3"))
      << told(text);
  const auto json = json_lines(alone({"vm", "list", "--json", "-c", "test:///default"}).out);
  ASSERT_EQ(json.size(), 2U);
  EXPECT_EQ(json[0].value("name", ""), "test");
  EXPECT_EQ(json[0].value("memory_bytes", 0ULL), 2ULL << 30);
  EXPECT_EQ(json[0].value("uri", ""), "test:///default");
  EXPECT_EQ(summary_of(json).value("hypervisors", 0), 1);
}

TEST_F(Vm, ListsNamesAlone) {
  EXPECT_EQ(alone({"vm", "list", "-q", "--names", "-c", "test:///default"}).out, "test\n");
  use({Host{"web01"}.set("hypervisor", "test:///default").set("domain", "test")});
  EXPECT_EQ(muster({"vm", "list", "-q", "web*", "--names"}).out, "web01\n");
}

TEST_F(Vm, DiscoversAnInventoryThatCanBeUsed) {
  const auto found = alone({"inventory", "discover", "-q", "test:///default", silent_uri("nobody")});
  EXPECT_EQ(found.code, 3) << told(found);
  EXPECT_TRUE(contains(found.out, "ansible_host: \"192.168.122.3\"")) << told(found);
  write(file("inventory.yaml"), found.out);
  EXPECT_EQ(muster({"vm", "list", "-q", "--names"}).out, "test\n");
  EXPECT_EQ(muster({"inventory", "discover", "-q"}).out, found.out) << "of the inventory's hypervisors";
  const auto lines = json_lines(alone({"inventory", "discover", "--json", "-c", "test:///default"}).out);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(result_of(lines, "test").value("address", ""), "192.168.122.3");
}

TEST_F(Vm, ListsTheMachinesOfAnInventoryUnderTheirNames) {
  use({Host{"web01"}.set("hypervisor", "test:///default").set("domain", "test"),
       Host{"gone"}.set("hypervisor", "test:///default"), Host{"plain"}});
  const auto all = muster({"vm", "list", "-q"});
  EXPECT_EQ(all.code, 0) << told(all);
  EXPECT_TRUE(contains(all.out, "test")) << told(all);
  const auto one = json_lines(muster({"vm", "list", "web01", "--json"}).out);
  ASSERT_EQ(one.size(), 2U);
  EXPECT_EQ(one[0].value("host", ""), "web01");
  const auto missing = muster({"vm", "info", "gone"});
  EXPECT_EQ(missing.code, 2) << told(missing);
  EXPECT_TRUE(contains(missing.err, "no domain 'gone' on test:///default")) << told(missing);
  const auto none = muster({"vm", "info", "plain"});
  EXPECT_EQ(none.code, 2);
  EXPECT_TRUE(contains(none.err, "'plain' says no hypervisor")) << told(none);
}

TEST_F(Vm, WhatWasNamedLastIsMeant) {
  use({Host{"web01"}.set("hypervisor", "test:///default").set("domain", "test"), Host{"test"}});
  const std::string variable = "MUSTER_INVENTORY=" + file("inventory.yaml");
  const auto with_variable = [&](std::vector<std::string> arguments) {
    Launch launch = command({});
    launch.argv =
        in_clean_environment({program("muster"), "vm"}, {"HOME=" + home(), "TMPDIR=" + file("tmp"), variable});
    launch.argv.insert(launch.argv.end(), arguments.begin(), arguments.end());
    return run(launch);
  };
  EXPECT_EQ(with_variable({"list", "-q", "--names", "web01"}).out, "web01\n");
  const auto option = with_variable({"list", "-q", "--names", "-c", "test:///default", "web01"});
  EXPECT_EQ(option.code, 2) << "an option goes before a variable: the domain has another name there " << told(option);
  // Named alike, the connection is that of hosts that say no hypervisor.
  for (const char* host : {"web01", "test"}) {
    const auto beside = alone({"vm", "info", host, "-i", file("inventory.yaml"), "-c", "test:///default"});
    EXPECT_EQ(beside.code, 0) << told(beside);
  }
  EXPECT_EQ(alone({"vm", "info", "test", "-i", file("inventory.yaml")}).code, 2);
}

TEST_F(Vm, TheDomainsOfAConnectionAreHosts) {
  EXPECT_EQ(alone({"inventory", "list", "-c", "test:///default"}).out, "test\n");
  const auto plan = alone({"run", "-c", "test:///default", "all", "--dry-run", "--", "uptime"});
  EXPECT_EQ(plan.code, 0) << told(plan);
  EXPECT_TRUE(contains(plan.out, "192.168.122.3")) << told(plan);
  EXPECT_EQ(alone({"run", "-c", "test:///default", "nobody", "--dry-run", "--", "uptime"}).code, 2);
  // Whoever only looks needs not name it.
  const auto with_default = [&](const std::string& uri, std::vector<std::string> arguments) {
    Launch launch = command({});
    launch.argv = in_clean_environment({program("muster")},
                                       {"HOME=" + home(), "TMPDIR=" + file("tmp"), "LIBVIRT_DEFAULT_URI=" + uri});
    launch.argv.insert(launch.argv.end(), arguments.begin(), arguments.end());
    return run(launch);
  };
  EXPECT_EQ(with_default("test:///default", {"inventory", "list"}).out, "test\n");
  const auto unnamed = with_default("test:///default", {"run", "all", "--dry-run", "--", "uptime"});
  EXPECT_EQ(unnamed.code, 2) << told(unnamed);
  EXPECT_TRUE(contains(unnamed.err, "no inventory: name one with -i")) << told(unnamed);
  const auto nobody = with_default(silent_uri("nobody"), {"inventory", "list"});
  EXPECT_EQ(nobody.code, 2) << told(nobody);
  EXPECT_TRUE(contains(nobody.err, "no inventory: name one with -i") && contains(nobody.err, "nobody")) << told(nobody);
}

TEST_F(Vm, AHypervisorThatHangsCostsItsDeadlineAndNobodyElses) {
  const SilentSocket silent(file("silent"));
  use({Host{"test"}.set("hypervisor", "test:///default"), Host{"b"}.set("hypervisor", silent_uri("silent")),
       Host{"c"}.set("hypervisor", silent_uri("nobody"))});
  const auto done = muster({"vm", "list", "--json", "--connect-timeout", "1s"});
  EXPECT_EQ(done.code, 3) << told(done);
  EXPECT_EQ(json_lines(done.out).front().value("name", ""), "test");
  const auto summary = summary_of(json_lines(done.out));
  EXPECT_EQ(summary.value("ok", 0), 1);
  EXPECT_EQ(summary.value("unreachable", 0), 2);
  EXPECT_GE(done.took, 1s);
  EXPECT_LT(done.took, 5s);
  const auto text = muster({"vm", "list", "--connect-timeout", "1s"});
  EXPECT_TRUE(contains(text.err, "no answer within 1s")) << told(text);
}

TEST_F(Vm, ADaemonThatDoesNotRunIsUnreachableAndSaysHow) {
  const auto gone = alone({"vm", "start", "test", "-c", silent_uri("nobody")});
  EXPECT_EQ(gone.code, 15) << told(gone);
  EXPECT_TRUE(contains(gone.err, "nobody") && contains(gone.err, "No such file")) << told(gone);
  { const SilentSocket killed(file("killed")); }
  const auto refused = alone({"vm", "start", "test", "-c", silent_uri("killed")});
  EXPECT_EQ(refused.code, 15) << told(refused);
  EXPECT_TRUE(contains(refused.err, "killed") && contains(refused.err, "Connection refused")) << told(refused);
}

TEST_F(Vm, WhatChangesMachinesWantsItsConnectionNamed) {
  for (const char* verb : {"start", "stop", "reboot", "pause", "resume", "save"}) {
    const auto done = alone({"vm", verb, "test"});
    EXPECT_EQ(done.code, 2) << told(done);
    EXPECT_TRUE(contains(done.err, "-c URI")) << told(done);
  }
}

TEST_F(Vm, AMistypedMachineIsToldWhatThereIs) {
  const auto near = alone({"vm", "info", "tset", "-c", "test:///default"});
  EXPECT_EQ(near.code, 2) << told(near);
  EXPECT_TRUE(contains(near.err, "no machine 'tset' on test:///default; did you mean 'test'?")) << told(near);
  const auto far = alone({"vm", "undelete", "nothing-like-it", "-c", "test:///default"});
  EXPECT_EQ(far.code, 2) << told(far);
  EXPECT_TRUE(contains(far.err, "muster vm trash list -c test:///default shows")) << told(far);
}

TEST_F(Vm, SaysWhatWasDoneOrWasNotNeeded) {
  const auto paused = alone({"vm", "pause", "-c", "test:///default", "test"});
  EXPECT_EQ(paused.out, "test: paused\n") << told(paused);
  EXPECT_EQ(alone({"vm", "start", "-q", "test:///default#test"}).out, "test:///default#test: already running\n");
  const auto stopped = json_lines(alone({"vm", "stop", "--json", "-c", "test:///default", "test"}).out);
  ASSERT_EQ(stopped.size(), 2U);
  EXPECT_EQ(stopped[0].value("state", ""), "shut off");
  EXPECT_EQ(stopped[0].value("outcome", ""), "ok");
  EXPECT_FALSE(stopped[0].value("forced", true));
  EXPECT_EQ(alone({"vm", "wait", "-q", "-c", "test:///default", "test", "--for", "ip"}).out, "test: 192.168.122.3\n");
}

TEST_F(Vm, WaitsUntilSshAnswersWhereTheInventorySays) {
  const SshServer server(accepting_key());
  const BadPeer relay({.behaviour = Misbehaviour::closes_at_once, .first = 2, .then = server.endpoint()});
  const auto at = [&](const Endpoint& endpoint) {
    use({Host{"web01"}
             .set("hypervisor", "test:///default")
             .set("domain", "test")
             .set("ansible_host", endpoint.address)
             .set("ansible_port", std::to_string(endpoint.port))});
  };
  at(relay.endpoint());
  const auto done = muster({"vm", "wait", "web01", "--for", "ssh", "-q"});
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_EQ(done.out, "web01: " + relay.endpoint().address + "\n");
  const auto json = json_lines(muster({"vm", "wait", "web01", "--for", "ssh", "--json"}).out);
  EXPECT_EQ(json.front().value("address", ""), relay.endpoint().address);
  // The port of the inventory is that of SSH.
  const auto port = "port:" + std::to_string(server.endpoint().port);
  const auto elsewhere = muster({"vm", "wait", "web01", "--for", port, "--timeout", "0.3s"});
  EXPECT_EQ(elsewhere.code, 1) << told(elsewhere);
  EXPECT_TRUE(contains(elsewhere.err, "accepts nothing on port")) << told(elsewhere);
  at(server.endpoint());
  EXPECT_EQ(muster({"vm", "wait", "web01", "--for", port, "-q"}).out, "web01: " + server.endpoint().address + "\n");
}

TEST_F(Vm, WaitingForAPortThatSwallowsEverythingHasItsDeadline) {
  const BlackHole hole;
  use({Host{"web01"}
           .set("hypervisor", "test:///default")
           .set("domain", "test")
           .set("ansible_host", hole.endpoint().address)
           .set("ansible_port", std::to_string(hole.endpoint().port))});
  const auto late = muster({"vm", "wait", "web01", "--for", "ssh", "--timeout", "1s"});
  EXPECT_EQ(late.code, 1) << told(late);
  EXPECT_TRUE(contains(late.err, hole.endpoint().address + " is silent")) << told(late);
  EXPECT_GE(late.took, 1s);
  EXPECT_LT(late.took, 6s);
  MusterProcess waiting(command({"vm", "wait", "web01", "--for", "ssh", "-v"}));
  ASSERT_TRUE(wait_until([&] { return process_tree(waiting.pid()).size() > 1; }));
  waiting.signal(SIGTERM);
  const auto ended = waiting.finish();
  EXPECT_LT(ended.took, 6s) << told(ended);
  EXPECT_NE(ended.code, 0);
  EXPECT_EQ(muster({"vm", "wait", "web01", "--for", "port:0"}).code, 2);
  const auto unknown = muster({"vm", "wait", "web01", "--for", "http"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_TRUE(contains(unknown.err, "write running, off, ip, agent, ssh or port:N")) << told(unknown);
}

TEST_F(Vm, AResetIsAskedForOrSaidYesTo) {
  const auto refused = alone({"vm", "reset", "-c", "test:///default", "test"});
  EXPECT_EQ(refused.code, 5) << told(refused);
  EXPECT_TRUE(contains(refused.err, "--yes")) << told(refused);
  Launch launch = command({});
  launch.argv = in_clean_environment({program("muster"), "vm", "pause", "-c", "test:///default", "test", "--dry-run"},
                                     {"HOME=" + home()});
  const auto plan = run(launch);
  EXPECT_EQ(plan.out, "test: pause test on test:///default\n") << told(plan);
}

TEST_F(Vm, OptionsBelongToTheirVerbs) {
  const auto done = alone({"vm", "start", "-c", "test:///default", "test", "--for", "ip"});
  EXPECT_EQ(done.code, 2);
  EXPECT_TRUE(contains(done.err, "--for is not for muster vm start")) << told(done);
  EXPECT_EQ(alone({"vm", "fly", "-c", "test:///default", "test"}).code, 2);
  const auto help = alone({"vm", "stop", "--help"});
  EXPECT_TRUE(contains(help.out, "--no-force") && !contains(help.out, "--paused")) << told(help);
}

TEST_F(Vm, TheDoctorLooksAtHypervisors) {
  const auto good = alone({"doctor", "-c", "test:///default"});
  EXPECT_TRUE(contains(good.out, "ok    hypervisor        test:///default, 1 machines")) << told(good);
  const auto bad = alone({"doctor", "-c", silent_uri("nobody")});
  EXPECT_TRUE(contains(bad.out, "note  hypervisor        connect to")) << told(bad);
}

TEST_F(Vm, CapabilitiesAreTheDriversAnswers) {
  const auto done = alone({"capabilities", "test:///default", "--json"});
  EXPECT_EQ(done.code, 0) << told(done);
  bool backup = true;
  for (const auto& line : json_lines(done.out))
    if (line.value("capability", "") == "backup") backup = line.value("answer", "") != "no";
  EXPECT_FALSE(backup) << done.out;
  EXPECT_EQ(alone({"capabilities", silent_uri("nobody")}).code, 15);
}

}  // namespace
}  // namespace muster::e2e
