// may_limit_memory() of limits.h. libvirt limits the memory that a domain with a hard limit may lock, which takes
// CAP_SYS_RESOURCE; without it (in containers) such a domain does not start. libvirt has no call that tells: the
// capabilities of the process behind the socket do.
#include <cctype>
#include <fstream>

#include <sys/socket.h>
#include <sys/un.h>

#include "base/unique_fd.h"
#include "virt/limits.h"

namespace muster::virt {
namespace {

constexpr unsigned kCapSysResource = 24;

// Of the daemon on this machine that `uri` leads to; empty: it is none with a socket.
std::string socket_path(const std::string& uri) {
  const std::size_t query = uri.find('?');
  const std::string base = uri.substr(0, query);
  constexpr std::string_view kParameter = "socket=";
  const std::size_t at = query == std::string::npos ? query : uri.find(kParameter, query);
  if (base.find("+unix://") != std::string::npos && at != std::string::npos) {
    const std::size_t from = at + kParameter.size();
    return uri.substr(from, uri.find('&', from) - from);
  }
  return base == "qemu:///system" ? "/run/libvirt/libvirt-sock" : "";
}

pid_t process_behind(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return 0;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const base::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return 0;
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

}  // namespace

std::optional<bool> may_limit_memory(const Connection& connection) {
  const pid_t daemon = process_behind(socket_path(connection.uri()));
  if (daemon <= 0) return std::nullopt;
  std::ifstream status("/proc/" + std::to_string(daemon) + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("CapEff:")) return (std::stoull(line.substr(7), nullptr, 16) >> kCapSysResource & 1U) != 0;
  return std::nullopt;
}

}  // namespace muster::virt
