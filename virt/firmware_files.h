// Which files libvirt gives a machine as UEFI firmware when it is to choose them itself. Until 9.2 it chose anew at
// each start, and the definition named neither the firmware nor the file of its variables. Blocks on libvirtd;
// thread-safe.
#pragma once

#include <optional>
#include <string>

#include "virt/connection.h"
#include "virt/domain_xml.h"

namespace muster::virt {

struct FirmwareFiles {
  std::string loader, variables;  // paths
};

// What a machine of this definition would start with, by what libvirt would call the emulator with; nothing is made.
// nullopt: the definition leaves no choice, or the driver does not tell.
std::optional<FirmwareFiles> chosen_firmware(const Connection& connection, const DomainXml& machine);

// The file of its variables, as the definition says or libvirt would choose; empty: it has none. It need not exist.
std::string variables_file(const Connection& connection, const DomainXml& machine);

// The file of its firmware's code, likewise; empty: it has none of its own (BIOS).
std::string loader_file(const Connection& connection, const DomainXml& machine);

// Whether libvirt writes its choice into the definition by itself.
bool firmware_is_pinned(const Connection& connection);

}  // namespace muster::virt
