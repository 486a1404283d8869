// Secrets that libvirt keeps, and that a definition names: passphrases of encrypted TPMs and disks, keys of storage on
// the network. Thread-safe, as libvirt's handles are.
#pragma once

#include <string>
#include <vector>

#include "base/context.h"
#include "virt/connection.h"
#include "virt/domain_xml.h"

namespace muster::virt {

struct Secret {
  std::string xml;    // its definition
  std::string value;  // bytes
};

// Those that the machine names and the hypervisor has, each once. One whose value libvirt does not give away is told as
// a warning, and left out.
std::vector<Secret> secrets_of(const base::Context& ctx, const Connection& connection, const DomainXml& machine);

// Those that are not there yet. One that libvirt does not take is told as a warning: the machine may not start.
void define_secrets(const base::Context& ctx, const Connection& connection, const std::vector<Secret>& secrets);

}  // namespace muster::virt
