// The file of a machine's UEFI variables. libvirt names it after the machine, and gives it to the next machine of that
// name, too: in the trash it has to have another name. Block on storage. Thread-safe for different machines.
#pragma once

#include <optional>
#include <string>

#include "base/context.h"
#include "virt/connection.h"
#include "virt/domain_xml.h"

namespace muster::vm {

// Its path, if libvirt named it so or would; empty: there is none, or it has a name of somebody's choice.
std::string named_variables(const virt::Connection& connection, const virt::Domain& domain, const std::string& machine);

// Whether another domain has the file, by its definition or because libvirt would choose it.
bool others_use(const virt::Connection& connection, const virt::Domain& domain, const std::string& path);

// Of a machine by its definition. nullopt: it has no such firmware, or has never run. Throws base::Error{refused} for
// more than 4 MiB.
std::optional<std::string> read_variables(const base::Context& ctx, const virt::Connection& connection,
                                          const virt::DomainXml& definition);

// The definition of a new machine, which gets `variables` (bytes) when it is made, says where libvirt would have them.
// Without firmware that has any, `variables` are none.
void place_variables(const virt::Connection& connection, virt::DomainXml& definition, std::string& variables);

// Beside where they are, as `name`, and the definition says so; the old file goes, unless others use it. Can be called
// again whenever it broke off; `from` is where they were at first.
void move_variables(const virt::Connection& connection, const virt::Domain& domain, const std::string& from,
                    const std::string& name);

// Gives a machine that is off another name, and takes the variables along. Throws base::Error{refused} if another
// domain has the file that they would be in.
void rename(const virt::Connection& connection, const virt::Domain& domain, const std::string& name);

}  // namespace muster::vm
