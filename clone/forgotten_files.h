// What a system keeps of its own in files that it makes anew, or that another of its kind must not have: leases,
// secrets, identities of services. Of all of them there is one per machine.
#pragma once

#include "clone/guest_tree.h"

namespace muster::clone {

void forget_former_identity(GuestTree& guest);

}  // namespace muster::clone
