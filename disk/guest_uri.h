// NBD URIs of Unix sockets, made and taken apart for programs that want the path alone. Pure functions.
#pragma once

#include <string>

namespace muster::disk {

// `nbd+unix:///?socket=/run/s%20t`.
std::string nbd_uri_of_socket(const std::string& path);

// The path in such a URI. Throws Error{usage} for any other, also one that names an export.
std::string socket_of_nbd_uri(const std::string& uri);

}  // namespace muster::disk
