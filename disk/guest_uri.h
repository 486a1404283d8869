// The path of the Unix socket in an NBD URI, for programs that want it alone. Pure function.
#pragma once

#include <string>

namespace muster::disk {

// `nbd+unix:///?socket=/run/s%20t`. Throws Error{usage} for any other URI, also one that names an export.
std::string socket_of_nbd_uri(const std::string& uri);

}  // namespace muster::disk
