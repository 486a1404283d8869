// A Unix socket that accepts into its queue and says nothing, as a daemon that hangs does.
#pragma once

#include <string>

#include "base/unique_fd.h"

namespace muster::e2e {

class SilentSocket {
 public:
  // Throws base::Error{io}.
  explicit SilentSocket(const std::string& path);

 private:
  base::UniqueFd fd_;
};

}  // namespace muster::e2e
