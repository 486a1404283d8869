// Files with keys of repositories: where they are, how they are read, and made so that none is lost. Blocks on the file
// system.
#pragma once

#include <optional>
#include <string>

#include "backup/key_slot.h"
#include "cli/program.h"

namespace muster::cli {

// $XDG_CONFIG_HOME/muster/keys/ID.key.
std::string usual_key_path(const backup::ObjectId& repository);
// $XDG_CONFIG_HOME/muster/keys/ID.on-HOST.key: what muster on that hypervisor's host is given.
std::string host_key_path(const backup::ObjectId& repository, const std::string& host);

// Throws base::Error{not_found, io}, and Error{key} for a file that is none.
backup::KeyFile read_key_file(const std::string& path);

// Makes `path`, of mode 0600, durable once it returns; the directory, too, where it is the usual one.
// Throws base::Error{refused} for a file that is there, Error{io, no_space, not_found}.
void write_key_file(const std::string& path, const backup::KeyFile& key);
// Whether write_key_file() would find its place. Throws as that does.
void check_key_path(const std::string& path);

// A passphrase that is to hold from now on: asked twice on the terminal, or the first line of the option's descriptor.
// nullopt where the option was not given. Throws base::Error{usage}.
std::optional<std::string> new_passphrase(const Program& program, std::string_view option);

}  // namespace muster::cli
