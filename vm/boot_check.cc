#include "vm/boot_check.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/quantity.h"
#include "virt/emulator.h"
#include "virt/guest_agent.h"
#include "virt/lifecycle.h"
#include "virt/statistics.h"
#include "vm/console_log.h"
#include "vm/guest_command.h"
#include "vm/maker.h"
#include "vm/polling.h"
#include "vm/port_answer.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kMark = "boot-check";
constexpr std::uint16_t kSshPort = 22;
constexpr std::size_t kToldConsoleBytes = 2000;
constexpr seconds kAgentPatience{2};
constexpr seconds kKnockPatience{2};

virt::MetadataElement mark_of_try() {
  virt::MetadataElement mark = virt::to_metadata(mark_of_this_process());
  mark.name = kMark;
  return mark;
}

// Its end, however this ends.
class RunningTry {
 public:
  explicit RunningTry(virt::Domain domain) : domain_(std::move(domain)) {}
  RunningTry(const RunningTry&) = delete;
  RunningTry& operator=(const RunningTry&) = delete;
  ~RunningTry() {
    try {
      if (domain_.active()) virt::power_off(domain_, virt::Pull::at_once);
    } catch (const Error&) {
      // It ends with the connection, or by the next try.
    }
  }
  const virt::Domain& domain() const { return domain_; }

 private:
  virt::Domain domain_;
};

// One try, from its start on.
class Try {
 public:
  Try(const base::Context& ctx, const virt::Domain& domain, const BootTry& request,
      const std::function<void(const BootStep&)>& on_step)
      : ctx_(ctx), request_(request), on_step_(on_step), domain_(domain), console_(domain), began_(base::Clock::now()) {
    if (request.goal.kind == BootGoal::Kind::ssh) ssh_port_ = virt::forwarded_port(domain, kSshPort);
  }

  BootOutcome run() {
    virt::resume(domain_);
    const auto deadline = began_ + request_.patience;
    const bool there = wait_until(ctx_, deadline, [&] { return step() || over_; });
    if (over_)
      outcome_.failure = "the machine went off by itself";
    else if (!there)
      outcome_.failure = missing();
    else
      outcome_.booted = request_.script.empty() || run_script(deadline);
    if (!outcome_.booted) outcome_.console_end = console_end();
    outcome_.duration = since_start();
    return std::move(outcome_);
  }

 private:
  milliseconds since_start() const { return std::chrono::duration_cast<milliseconds>(base::Clock::now() - began_); }
  bool has(std::string_view stage) const {
    return std::any_of(outcome_.reached.begin(), outcome_.reached.end(),
                       [&](const BootStep& step) { return step.stage == stage; });
  }
  void reach(const char* stage) {
    if (has(stage)) return;
    outcome_.reached.push_back({stage, since_start()});
    on_step_(outcome_.reached.back());
  }

  // True once the goal is reached.
  bool step() {
    try {
      return look();
    } catch (const Error&) {
      // What is asked of a machine that has just gone off fails in many ways.
      over_ = !domain_.active();
      if (over_) return false;
      throw;
    }
  }
  bool look() {
    const std::string& console = console_.text();
    over_ = !domain_.active();
    if (over_) return false;
    if (!has("firmware") && read_anything()) reach("firmware");
    if (!has("kernel") && kernel_spoke(console)) reach("kernel");
    return is_at_goal(console);
  }
  bool read_anything() const {
    const auto& disks = request_.machine.disks;
    return std::any_of(disks.begin(), disks.end(),
                       [&](const virt::CheckDisk& disk) { return virt::guest_read_bytes(domain_, disk.target) > 0; });
  }
  bool is_at_goal(const std::string& console) {
    switch (request_.goal.kind) {
      case BootGoal::Kind::agent:
        return agent_reached();
      case BootGoal::Kind::ssh:
        if (!ssh_answers()) return false;
        reach("kernel");
        reach("ssh");
        return true;
      case BootGoal::Kind::serial:
        if (!any_line_matches(request_.goal, console)) return false;
        reach("serial");
        return true;
    }
    return false;
  }
  bool agent_reached() {
    if (!virt::agent_connected(domain_) || !virt::agent_answers(domain_, kAgentPatience)) return false;
    reach("kernel");
    reach("agent");
    return true;
  }
  bool ssh_answers() const {
    if (!ssh_port_) return false;
    const std::vector<Endpoint> endpoints{{.host = "127.0.0.1", .port = *ssh_port_}};
    return knock(ctx_, endpoints, Answer::ssh, kKnockPatience).host.has_value();
  }

  bool run_script(base::TimePoint deadline) {
    if (!wait_until(ctx_, deadline, [&] { return agent_reached(); }))
      return outcome_.failure = "no agent answers that could run the script", false;
    try {
      const auto result = run_in_guest(ctx_, domain_, {"/bin/sh", "-c", request_.script}, request_.script_patience);
      outcome_.script_status = result.status;
      outcome_.script_output = result.output;
      if (result.status == 0) return reach("script"), true;
      outcome_.failure = "the script ended with status " + std::to_string(result.status);
    } catch (const Error& e) {
      if (e.code() == Code::cancelled) throw;
      outcome_.failure = std::string("the script: ") + e.what();
    }
    return false;
  }

  std::string missing() const {
    const std::string what = request_.goal.kind == BootGoal::Kind::agent ? "no agent answered"
                             : request_.goal.kind == BootGoal::Kind::ssh
                                 ? "no SSH server answered"
                                 : "no line on its serial console matched '" + request_.goal.expression + "'";
    return what + " within " + base::format_duration(request_.patience);
  }
  std::string console_end() {
    const std::string& text = console_.text();
    return text.substr(text.size() - std::min(text.size(), kToldConsoleBytes));
  }

  const base::Context& ctx_;
  const BootTry& request_;
  const std::function<void(const BootStep&)>& on_step_;
  virt::Domain domain_;
  ConsoleLog console_;
  base::TimePoint began_;
  std::optional<std::uint16_t> ssh_port_;
  bool over_ = false;
  BootOutcome outcome_;
};

virt::CheckMachine machine_on(const virt::Connection& connection, const BootTry& request) {
  virt::CheckMachine machine = request.machine;
  machine.offer = virt::guest_offer(connection);
  machine.loaders = virt::firmware_loaders(connection, machine.offer);
  machine.ssh =
      request.goal.kind == BootGoal::Kind::ssh ? virt::CheckMachine::Ssh::forwarded : virt::CheckMachine::Ssh::hidden;
  machine.mark = mark_of_try();
  return machine;
}

// A host may have KVM and yet run no guest with it: then the machine is emulated.
virt::Domain start(const base::Context& ctx, const virt::Connection& connection, const BootTry& request) {
  const virt::DomainXml original(request.domain_xml);
  virt::CheckMachine machine = machine_on(connection, request);
  try {
    return virt::start_transient(connection, virt::check_definition(original, machine));
  } catch (const Error& e) {
    if (machine.offer.domain_type != "kvm") throw;
    ctx.note(std::string("without KVM: ") + e.what());
    machine.offer.domain_type = "qemu";
    machine.offer.emulated = true;
    return virt::start_transient(connection, virt::check_definition(original, machine));
  }
}

}  // namespace

bool kernel_spoke(std::string_view console) {
  // Of Linux with and without `quiet`, systemd's first line, and the BSDs'.
  constexpr std::array<std::string_view, 7> kSigns = {"Linux version ", "\n[    ",    "systemd[1]:", "Run /init as",
                                                      "FreeBSD/",       "OpenBSD 7.", "NetBSD "};
  return std::any_of(kSigns.begin(), kSigns.end(),
                     [&](std::string_view sign) { return console.find(sign) != std::string_view::npos; });
}

BootOutcome try_boot(const base::Context& ctx, const virt::Connection& connection, const BootTry& request,
                     const std::function<void(const BootStep&)>& on_step) {
  const RunningTry running(start(ctx, connection, request));
  return Try(ctx, running.domain(), request, on_step).run();
}

std::vector<std::string> end_left_tries(const virt::Connection& connection) {
  std::vector<std::string> ended;
  for (const auto& domain : connection.domains()) {
    try {
      const auto mark = virt::metadata_part(domain, kMark);
      if (!mark || domain.persistent() || life_of(virt::creation_mark(*mark)) != MakerLife::gone) continue;
      virt::power_off(domain, virt::Pull::at_once);
      ended.push_back(domain.name());
    } catch (const Error&) {
      if (domain.exists()) throw;
    }
  }
  return ended;
}

}  // namespace muster::vm
