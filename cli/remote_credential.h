// What another hypervisor's host gets of a repository's keys to back its machines up: never what reads them back.
#pragma once

#include <string>

#include "backup/credential.h"
#include "backup/repository.h"
#include "base/context.h"

namespace muster::cli {

// A host's credential is handed on as it is. The owner makes a host's for each hypervisor's host, once, and keeps it
// beside their own: `$XDG_CONFIG_HOME/muster/keys/ID.on-HOST.key`. Throws base::Error{key} for maintenance, and for one
// that was removed since; {busy, cancelled} while another process makes one.
backup::Credential credential_for_host(const base::Context& ctx, const backup::Repository& repository,
                                       const std::string& host);

}  // namespace muster::cli
