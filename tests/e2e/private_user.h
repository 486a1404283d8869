// A user and sudo rules that exist only in the mount namespace of one SshServer: nothing is added to the machine.
// Needs root. Not thread-safe.
#pragma once

#include <string>

#include "tests/e2e/temp_dir.h"

namespace muster::e2e {

class PrivateUser {
 public:
  // `password` is what sudo accepts.
  explicit PrivateUser(const std::string& password);

  static constexpr const char* kName = "e2etester";
  // For SshServer::Options::in_namespace.
  std::string in_namespace() const;
  const TempDir& directory() const { return directory_; }

 private:
  TempDir directory_;
};

}  // namespace muster::e2e
