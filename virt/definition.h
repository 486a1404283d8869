// Changing what a domain is defined as. Blocks on libvirt. Thread-safe.
#pragma once

#include <string>

#include "virt/connection.h"

namespace muster::virt {

struct Redefinition {
  std::string before;  // Domain::Xml::portable, as it was read
  std::string after;
};

// Takes effect at the next start. Throws base::Error{usage} for XML that libvirt does not take, or that has another
// name or UUID: it would make another domain; {busy} when the definition is no longer `before`.
void redefine(const Connection& connection, const Domain& domain, const Redefinition& change);

}  // namespace muster::virt
