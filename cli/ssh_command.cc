// muster ssh: a shell, or one command, on one host. OpenSSH's client does it, with what inventory and options know.
#include <cerrno>

#include <signal.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/fleet_selection.h"
#include "parallel-ssh/openssh_client.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

// What a client that takes our place must not inherit.
void restore_signals() {
  ::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

int open_shell(Program& program) {
  const auto& words = program.arguments.words;
  if (words.empty()) throw Error(Code::usage, "no host: muster ssh HOST [-- COMMAND...]");
  const FleetSelection selection(program, words.front());
  if (selection.size() != 1)
    throw Error(Code::usage, "'" + words.front() + "' is " + std::to_string(selection.size()) +
                                 " hosts; muster ssh takes one, muster run takes many");
  const ssh::Target target = selection.target(0);
  if (!target.refusal.empty()) throw Error(Code::unsupported, target.name + ": " + target.refusal);
  auto arguments = ssh::openssh_arguments(target, ssh::Interaction::interactive);
  for (std::size_t i = 1; i < words.size(); ++i) arguments.push_back(words[i]);
  std::vector<char*> pointers;
  for (auto& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  restore_signals();
  ::execvp(pointers[0], pointers.data());
  base::throw_errno("start ssh (package openssh-client)");
}

}  // namespace
}  // namespace muster::cli

int main(int argc, char** argv) { return muster::cli::run_program("ssh", argc, argv, muster::cli::open_shell); }
