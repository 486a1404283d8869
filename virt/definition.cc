#include "virt/definition.h"

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "virt/domain_xml.h"
#include "virt/libvirt_error.h"

namespace muster::virt {

using base::Code;
using base::Error;

void redefine(const Connection& connection, const Domain& domain, const Redefinition& change) {
  const DomainXml before(change.before), after(change.after);
  if (after.name() != before.name())
    throw Error(Code::usage, "the name is '" + after.name() + "' now: write '" + before.name() +
                                 "' again; muster vm rename changes it");
  if (after.uuid() != before.uuid())
    throw Error(Code::usage, "the UUID is another now: write " + before.uuid() + " again");
  if (domain.xml(Domain::Xml::portable) != change.before)
    throw Error(Code::busy,
                "the definition of '" + domain.name() + "' was changed meanwhile; start from what it is now");
  connection.define(change.after);
}

}  // namespace muster::virt
