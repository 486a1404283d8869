// A Unix socket of another host, as one of this host: forwarded by OpenSSH's client, with a command that runs there
// meanwhile. Any thread; blocks on SSH.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "base/child_process.h"
#include "base/context.h"
#include "cli/ssh_place.h"
#include "disk/image_server.h"

namespace muster::cli {

class SshTunnel {
 public:
  // `command`, for a login shell there: writes a line once an NBD server listens on the socket, and ends at the end of
  // its standard input, on which it gets an `x` every 15 s. Returns once that server has greeted. Throws
  // base::Error{unreachable} where the host cannot be reached or does not forward, {timeout, cancelled}, and
  // disk::qemu_error() for a command that ends.
  SshTunnel(const base::Context& ctx, const SshPlace& place, const std::string& socket, const std::string& command,
            const std::string& action);
  SshTunnel(const SshTunnel&) = delete;
  SshTunnel& operator=(const SshTunnel&) = delete;
  ~SshTunnel();

  std::string path() const { return directory_.path() + "/socket"; }

 private:
  void say_alive(const std::stop_token& stop);

  disk::PrivateDirectory directory_;
  base::ChildProcess client_;
  std::jthread alive_;
};

// What a command there writes on standard output, at most 4 MiB. Throws base::Error{unreachable} where the host cannot
// be reached, disk::qemu_error() for a command that fails, {timeout, cancelled, corrupt}.
std::string output_over_ssh(const base::Context& ctx, const SshPlace& place, const std::string& command,
                            const std::string& action);

}  // namespace muster::cli
