// The one string a remote login shell gets: a command as it was typed, or a local script that travels on standard
// input, either of them behind sudo if asked. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parallel-ssh/sudo_dialog.h"

namespace muster::ssh {

// `text` as one word of a POSIX shell.
std::string in_quotes(std::string_view text);

struct Script {
  std::string interpreter;  // from its `#!` line, else `sh`
  std::size_t size_bytes = 0;
  std::vector<std::string> arguments;
};

// Finds the interpreter in a script's first line.
std::string interpreter_of(std::string_view script);

struct Sudo {
  std::string user = "root";
};

struct CommandSpec {
  std::string command;           // unless there is a script
  std::optional<Script> script;  // its bytes come first on standard input, exactly size_bytes of them
  bool input_follows = false;    // bytes for the script itself come after it
  std::optional<Sudo> sudo;
};

// `secret`: what sudo will ask for; nullptr where it must not ask. Only beside spec.sudo.
std::string remote_command_line(const CommandSpec& spec, const SudoSecret* secret);

// Sends SIGTERM to what the connection it runs over has started: the other children of its sshd, each with its process
// group. Does nothing where the parent is not the sshd of one connection.
std::string end_siblings_line();

// Markers nobody can guess.
SudoSecret make_sudo_secret(const std::string& password);

}  // namespace muster::ssh
