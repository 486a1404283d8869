// What an emulated TPM (swtpm) keeps: without it a guest whose disks are sealed to it does not open them. libvirt has
// it in a directory for each UUID, which it makes at the first start, and takes as it is where it is there. Of machines
// of this host; blocks on the file system.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "virt/domain_xml.h"

namespace muster::vm {

// Where libvirt has those directories: of the system's daemon, and of a user's own.
struct TpmDirectories {
  std::string system = "/var/lib/libvirt/swtpm";
  std::string session;
};

// As it stands now. nullopt: the machine has no emulated TPM, or it never ran. Throws base::Error{io, corrupt}.
std::optional<std::string> read_tpm_state(const TpmDirectories& places, const std::string& uri,
                                          const virt::DomainXml& machine);

// Of a machine that is off, in place of what is there; the file is whole or not there. Throws base::Error{io,
// no_space}, {unsupported} for a machine without such a TPM.
void write_tpm_state(const TpmDirectories& places, const std::string& uri, const virt::DomainXml& machine,
                     const std::string& uuid, std::string_view state);

}  // namespace muster::vm
