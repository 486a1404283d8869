// What the tests of backups on another hypervisor share: a second libvirtd in its own namespaces, reached over a real
// sshd, whose sessions are inside of them. Not thread-safe.
#pragma once

#include "tests/e2e/backup_running_fixture.h"

namespace muster::e2e {

class BackupRemote : public BackupRunning {
 protected:
  void SetUp() override {
    BackupRunning::SetUp();
    if (!IsSkipped()) start_server();
  }

  void start_server(std::vector<std::string> config = {}) {
    std::filesystem::create_directory(file("there"));
    std::string enter = "#!/bin/sh\nexport HOME=" + file("there") + "\nexec";
    for (const auto& word : hypervisor_->inside({"sh", "-c"})) enter += " '" + word + "'";
    write(file("enter"), enter + " \"$SSH_ORIGINAL_COMMAND\"\n", 0700);
    config.push_back("ForceCommand " + file("enter"));
    SshServer::Options options = accepting_key(config);
    // What sshd itself forwards to.
    options.in_namespace = "mount -t tmpfs tmpfs /var/lib; mkdir /var/lib/libvirt; mount --bind " +
                           hypervisor_->state_directory() + " /var/lib/libvirt";
    server_.emplace(options);
    write(file("known_hosts"), server_->known_hosts_line());
  }

  std::string uri() const {
    const auto& at = server_->endpoint();
    return "qemu+ssh://" + current_user() + "@" + at.address + ":" + std::to_string(at.port) +
           "/system?keyfile=" + key().file + "&known_hosts=" + file("known_hosts");
  }
  Words remote_words(const std::string& name, const Words& more = {}) const {
    Words words{"create", uri() + "#" + name, "--remote-muster", program("muster"), "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  nlohmann::json create_there(const std::string& name = "web01", const Words& more = {}) {
    const auto done = expect(0, remote_words(name, more));
    last_errors_ = done.err;
    return json_lines(done.out).at(0);
  }

  std::optional<SshServer> server_;
};

}  // namespace muster::e2e
