// A Unix socket of another host, as one of this host: forwarded by OpenSSH's client, with a command that runs there
// meanwhile. Any thread; blocks on SSH.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/child_process.h"
#include "base/context.h"
#include "cli/ssh_place.h"
#include "disk/image_server.h"

namespace muster::cli {

class SshTunnel {
 public:
  // `command`, for a login shell there: writes a line once the socket is there, and ends at the end of its standard
  // input. Returns after that line. Throws base::Error{unreachable} where the host cannot be reached or does not
  // forward, {timeout, cancelled}, and disk::qemu_error() for a command that ends.
  SshTunnel(const base::Context& ctx, const SshPlace& place, const std::string& socket, const std::string& command,
            const std::string& action);
  SshTunnel(const SshTunnel&) = delete;
  SshTunnel& operator=(const SshTunnel&) = delete;
  ~SshTunnel();

  std::string path() const { return directory_.path() + "/socket"; }

 private:
  disk::PrivateDirectory directory_;
  base::ChildProcess client_;
};

// What a command there writes on standard output. Throws like SshTunnel, {io} for one that fails.
std::string output_over_ssh(const base::Context& ctx, const SshPlace& place, const std::string& command,
                            const std::string& action);

}  // namespace muster::cli
