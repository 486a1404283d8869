#include "tests/e2e/ssh_agent.h"

#include <filesystem>

#include <signal.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "tests/e2e/muster_process.h"
#include "tests/e2e/process_table.h"
#include "tests/unix_socket.h"

namespace muster::e2e {
namespace {

void must(const Launch& launch) {
  const auto done = run(launch);
  if (done.code != 0) throw base::Error(base::Code::io, launch.argv.at(0) + ": " + done.err);
}

}  // namespace

KeyPair make_key(const std::string& file, const std::string& passphrase, const std::string& type) {
  // One round of the key derivation: these keys guard nothing, and sixteen cost a tenth of a second each.
  must({.argv = {"ssh-keygen", "-q", "-a", "1", "-t", type, "-N", passphrase, "-C", "e2e", "-f", file}});
  std::string line = base::read_file(file + ".pub", 16384);
  line.erase(line.find_last_not_of('\n') + 1);
  return {.file = file, .public_line = line};
}

SshAgent::SshAgent()
    : agent_(std::make_unique<base::ChildProcess>(
          std::vector<std::string>{"setpriv", "--pdeathsig", "TERM", "ssh-agent", "-D", "-a", directory_ / "socket"})) {
  if (!wait_until([&] { return tests::is_listened_on(directory_ / "socket"); }))
    throw base::Error(base::Code::unreachable, "ssh-agent does not start");
}

SshAgent::~SshAgent() {
  agent_->signal(SIGTERM);
  agent_->wait(std::chrono::seconds(5));
}

void SshAgent::add(const KeyPair& key, const std::string& passphrase) {
  const std::string asker = directory_ / "askpass";
  base::replace_file(asker, "#!/bin/sh\nprintf '%s\\n' '" + passphrase + "'\n", 0700);
  must({.argv = {"ssh-add", "-q", key.file},
        .environment = {environment(), "SSH_ASKPASS=" + asker, "SSH_ASKPASS_REQUIRE=force"}});
}

}  // namespace muster::e2e
