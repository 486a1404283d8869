// Settings about SSH connections, as parallel-ssh/ wants them, and secrets read from the terminal or a descriptor.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "cli/program.h"
#include "parallel-ssh/key_store.h"
#include "parallel-ssh/remote_command.h"
#include "parallel-ssh/target_resolution.h"

namespace muster::cli {

// Asks for --ask-pass where it was given. Throws base::Error{usage}.
ssh::ConnectOptions connect_options(const Program& program);

// Of --ssh-config, else the user's and the system's.
ssh::SshConfig load_ssh_config(const Program& program);

// --timeout, --idle-timeout and --keepalive, of one command on one host. Throws base::Error{usage}.
ssh::CommandClocks command_clocks(const Settings& settings);

// The secret of an option like --ask-pass[=FD]: nullopt if it was not given, else from the terminal, or the first line
// of the descriptor. Throws base::Error{usage} without a terminal or for a descriptor that cannot be read.
std::optional<std::string> asked_secret(const Program& program, std::string_view option, const std::string& prompt);

// A line typed on the terminal, with echo; nullopt if there is none. Throws base::Error{cancelled} once `stop` is
// requested.
std::optional<std::string> answer_on_terminal(const std::string& question, const std::stop_token& stop);

// From the terminal, without echo; nullopt if there is none. Throws base::Error{cancelled} once `stop` is requested.
std::optional<std::string> ask_on_terminal(const std::string& prompt, const std::stop_token& stop);

// The same for passphrases of key files, as long as the program is not interrupted. `program` has to outlive it.
ssh::KeyStore::AskPassphrase passphrase_on_terminal(const Program& program);

}  // namespace muster::cli
