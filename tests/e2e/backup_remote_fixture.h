// What the tests of backups on another hypervisor share: a second libvirtd in its own namespaces, reached over a real
// sshd, whose sessions are inside of them. Not thread-safe.
#pragma once

#include "tests/e2e/backup_running_fixture.h"
#include "tests/e2e/over_ssh.h"

namespace muster::e2e {

class BackupRemote : public OverSsh<BackupRunning> {
 protected:
  void SetUp() override {
    BackupRunning::SetUp();
    if (!IsSkipped()) start_server(*hypervisor_);
  }

  std::string uri() const { return uri_over_ssh(); }
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
};

}  // namespace muster::e2e
