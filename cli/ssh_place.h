// Where a hypervisor's own host is reached over SSH, out of the libvirt URI that names it: as libvirt reaches it, by
// OpenSSH's client, whose configuration, keys and known hosts hold. https://libvirt.org/uri.html#ssh-transport. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace muster::cli {

// Whether what libvirt has at `uri` is this host's: such a URI names none.
bool is_of_this_host(const std::string& uri);

struct SshPlace {
  std::string host;               // as the URI has it
  std::vector<std::string> argv;  // of the client, up to the destination; a command may be added
  std::string local_uri;          // the same hypervisor, as its own host says it
  bool trusts_any = false;        // the URI says `no_verify`: whoever answers is taken for it
};

// nullopt for a URI of this host, or of another transport than SSH. Throws base::Error{usage} for one that cannot be
// read. Asks nothing on a terminal, gives up connecting after `connect_patience`, and a connection that is dead after
// 45 s.
std::optional<SshPlace> ssh_place(const std::string& uri, std::chrono::milliseconds connect_patience);

}  // namespace muster::cli
