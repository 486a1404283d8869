// The repository that the user means, found and opened: -R, MUSTER_REPOSITORY or the configuration names it, and a key
// file, passphrase or key in clear opens it (muster-backup(1), "Keys"). Main's thread alone.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "backup/repository.h"
#include "base/context.h"
#include "cli/program.h"

namespace muster::cli {

// `context`: what engines get; its stop is the first Ctrl-C.
struct OpenedRepository {
  base::Context context;
  backup::Repository repository;
};

// Throws NoRepository (exit_status.h) where there is none, base::Error{usage} where none is named, Error{unsupported}
// for a store that is not there yet and for a newer format, Error{key} naming where a key file was looked for,
// Error{corrupt, io, cancelled}.
OpenedRepository open_repository(const Program& program);

// Another repository, of keys that are found by themselves: --key-file and --passphrase are not for it.
backup::Repository open_second_repository(const Program& program, const std::string& where);

base::Context until_interrupt(const Program& program);

// --- parts of opening, for `init` and `key`

// -R. Throws base::Error{usage} where none is named.
std::string repository_name(const Program& program);
// Throws base::Error{unsupported} for what is no directory's name.
void check_is_directory_name(const std::string& where);
// Throws NoRepository where there is none; reads nothing yet.
std::shared_ptr<backup::Storage> open_storage(const Program& program);

}  // namespace muster::cli
