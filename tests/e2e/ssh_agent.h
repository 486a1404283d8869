// Keys of one test: key pairs in files, and an ssh-agent of its own that holds some of them. Not thread-safe.
#pragma once

#include <memory>
#include <string>

#include "base/child_process.h"
#include "tests/e2e/temp_dir.h"

namespace muster::e2e {

struct KeyPair {
  std::string file;         // the private key
  std::string public_line;  // as in authorized_keys
};

// Makes `file` and `file.pub`. `type` as ssh-keygen's -t; an empty passphrase leaves the key unencrypted.
KeyPair make_key(const std::string& file, const std::string& passphrase = "", const std::string& type = "ed25519");

class SshAgent {
 public:
  SshAgent();
  SshAgent(const SshAgent&) = delete;
  SshAgent& operator=(const SshAgent&) = delete;
  ~SshAgent();

  // The passphrase is given to ssh-add as a user would type it.
  void add(const KeyPair& key, const std::string& passphrase = "");
  // SSH_AUTH_SOCK=...
  std::string environment() const { return "SSH_AUTH_SOCK=" + (directory_ / "socket"); }

 private:
  TempDir directory_;
  std::unique_ptr<base::ChildProcess> agent_;
};

}  // namespace muster::e2e
