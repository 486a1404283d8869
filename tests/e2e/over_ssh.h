// Adds to a fixture of end-to-end tests that its hypervisor is reached over a real sshd, whose sessions are inside of
// the hypervisor's namespaces. Not thread-safe.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tests/e2e/hypervisor.h"
#include "tests/e2e/ssh_server.h"

namespace muster::e2e {

template <class Fixture>
class OverSsh : public Fixture {
 protected:
  void start_server(const Hypervisor& hypervisor, std::vector<std::string> config = {}) {
    std::filesystem::create_directory(this->file("there"));
    std::string enter = "#!/bin/sh\nexport HOME=" + this->file("there") + "\nexec";
    for (const auto& word : hypervisor.inside({"sh", "-c"})) enter += " '" + word + "'";
    this->write(this->file("enter"), enter + " \"$SSH_ORIGINAL_COMMAND\"\n", 0700);
    config.push_back("ForceCommand " + this->file("enter"));
    SshServer::Options options = this->accepting_key(config);
    // What sshd itself forwards to.
    options.in_namespace = "mount -t tmpfs tmpfs /var/lib; mkdir /var/lib/libvirt; mount --bind " +
                           hypervisor.state_directory() + " /var/lib/libvirt";
    server_.emplace(options);
    this->write(this->file("known_hosts"), server_->known_hosts_line());
  }

  std::string uri_over_ssh(const std::string& more) const {
    const auto& at = server_->endpoint();
    return "qemu+ssh://" + current_user() + "@" + at.address + ":" + std::to_string(at.port) +
           "/system?keyfile=" + this->key().file + "&" + more;
  }
  std::string uri_over_ssh() const { return uri_over_ssh("known_hosts=" + this->file("known_hosts")); }
  // Where libvirt's own client is to know the host, too.
  std::string uri_with_client() const {
    this->write(this->file("client"),
                "#!/bin/sh\nexec ssh -oUserKnownHostsFile=" + this->file("known_hosts") + " \"$@\"\n", 0700);
    return uri_over_ssh("command=" + this->file("client"));
  }

  std::optional<SshServer> server_;
};

}  // namespace muster::e2e
