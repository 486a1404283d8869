// muster doctor: what this machine lacks for what muster does, and what to do about each.
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <unistd.h>

#include "base/child_process.h"
#include "base/error.h"
#include "cli/environment.h"
#include "cli/exit_status.h"
#include "cli/fleet_selection.h"
#include "cli/hypervisor_workers.h"
#include "cli/json_lines.h"
#include "cli/machine_source.h"
#include "cli/program.h"
#include "cli/vm_selection.h"
#include "inventory/inventory.h"
#include "parallel-ssh/agent_broker.h"
#include "parallel-ssh/private_key.h"

namespace muster::cli {
namespace {

enum class Verdict { good, advice, bad };

struct Finding {
  std::string subject;
  Verdict verdict;
  std::string text;  // what was found, and what to do where it is not good
};

bool in_path(const std::string& program) {
  std::istringstream directories(environment("PATH").value_or("/usr/bin:/bin"));
  for (std::string directory; std::getline(directories, directory, ':');)
    if (::access((directory + "/" + program).c_str(), X_OK) == 0) return true;
  return false;
}

Finding ssh_client() {
  if (in_path("ssh")) return {"OpenSSH client", Verdict::good, "found"};
  return {"OpenSSH client", Verdict::bad,
          "not found: `muster ssh`, and hosts that need more than libssh, cannot work; install openssh-client"};
}

Finding descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const auto text = fmt::format("{} open files allowed", limit.rlim_max);
  if (limit.rlim_max >= 4096) return {"open files", Verdict::good, text};
  return {"open files", Verdict::advice,
          text + ": the fanout stays small; raise the hard limit (ulimit -Hn, limits.conf)"};
}

Finding agent() {
  const auto socket = environment("SSH_AUTH_SOCK");
  if (!socket)
    return {"ssh agent", Verdict::advice, "none (SSH_AUTH_SOCK is not set): keys with a passphrase will be asked for"};
  try {
    const ssh::AgentBroker broker(*socket);
    if (!broker.keys().empty()) return {"ssh agent", Verdict::good, fmt::format("{} keys", broker.keys().size())};
    return {"ssh agent", Verdict::advice, "holds no key: add one with ssh-add"};
  } catch (const base::Error& e) {
    return {"ssh agent", Verdict::advice, std::string(e.what()) + ": start one anew, or unset SSH_AUTH_SOCK"};
  }
}

Finding keys() {
  int usable = 0, locked = 0;
  for (const char* name : {"id_ed25519", "id_ecdsa", "id_rsa"}) {
    const auto loaded = ssh::load_private_key(home_directory() + "/.ssh/" + name, std::nullopt);
    usable += loaded.state == ssh::KeyFileState::loaded ? 1 : 0;
    locked += loaded.state == ssh::KeyFileState::needs_passphrase ? 1 : 0;
  }
  if (usable > 0) return {"private keys", Verdict::good, fmt::format("{} in ~/.ssh", usable)};
  if (locked > 0)
    return {"private keys", Verdict::advice, "only ones with a passphrase: cron will need an agent or another key"};
  return {"private keys", Verdict::advice,
          "none in ~/.ssh: make one with ssh-keygen -t ed25519, or name one as identity_file"};
}

Finding inventory_file(const Program& program) {
  const auto sources = found_inventory_sources(program.settings);
  if (sources.empty())
    return {"inventory", Verdict::advice,
            "none found: write ./inventory.yaml (muster-inventory(5)), or name one with -i"};
  try {
    std::vector<std::string> problems;
    const auto inventory =
        inventory::load(program.ctx, sources, {.dialect = dialect_of(program), .all_problems = &problems});
    if (problems.empty())
      return {"inventory", Verdict::good, fmt::format("{}, {} hosts", sources.front(), inventory.host_count())};
    return {"inventory", Verdict::bad,
            fmt::format("{} problems, the first: {}; muster inventory check lists them", problems.size(),
                        problems.front())};
  } catch (const base::Error& e) {
    return {"inventory", Verdict::bad, e.what()};
  }
}

Finding temporary() {
  const std::string directory = temporary_directory();
  if (::access(directory.c_str(), W_OK) == 0) return {"temporary files", Verdict::good, directory};
  return {"temporary files", Verdict::bad,
          directory + " cannot be written: large outputs have nowhere to go; set TMPDIR"};
}

// Those of the inventory, or the one that commands use where nobody named any: what listing their machines would meet.
std::vector<Finding> hypervisors(const Program& program) {
  constexpr std::chrono::seconds kPatience{5};
  std::vector<std::string> uris;
  try {
    uris = all_hypervisors(program);
  } catch (const base::Error& e) {
    return {{"hypervisors", Verdict::advice, std::string("none to look at: ") + e.what()}};
  }
  std::vector<Finding> findings;
  HypervisorWorkers workers(program.ctx, connect_patience(program.settings));
  for (const auto& uri : uris) {
    try {
      const auto answer = workers.call(uri, "names", nlohmann::json::object(), kPatience);
      findings.push_back({"hypervisor", Verdict::good, fmt::format("{}, {} machines", uri, answer.at("names").size())});
    } catch (const base::Error& e) {
      findings.push_back(
          {"hypervisor", Verdict::advice,
           fmt::format("{}; `muster vm` needs libvirtd to run there, and permission to use it", e.what())});
    }
  }
  return findings;
}

const char* word_for(Verdict verdict) {
  switch (verdict) {
    case Verdict::good:
      return "ok";
    case Verdict::advice:
      return "note";
    case Verdict::bad:
      return "bad";
  }
  return "";
}

int doctor(Program& program) {
  std::vector<Finding> findings{ssh_client(), descriptors(), agent(), keys(), inventory_file(program), temporary()};
  for (auto& finding : hypervisors(program)) findings.push_back(std::move(finding));
  std::size_t bad = 0;
  for (const auto& finding : findings) {
    bad += finding.verdict == Verdict::bad ? 1 : 0;
    if (program.json())
      program.console.out(json_line(
          "result", {{"subject", finding.subject}, {"state", word_for(finding.verdict)}, {"text", finding.text}}));
    else if (!program.quiet() || finding.verdict != Verdict::good)
      program.console.out(fmt::format("{:<4}  {:<16}  {}\n", word_for(finding.verdict), finding.subject, finding.text));
  }
  const int status = bad == 0 ? kAllWorked : kUnsupported;
  if (program.json()) program.console.out(json_line("summary", {{"bad", bad}, {"exit", status}}));
  return status;
}

}  // namespace
}  // namespace muster::cli

int main(int argc, char** argv) { return muster::cli::run_program("doctor", argc, argv, muster::cli::doctor); }
