// The files that a user names for a guest's first boot, read into a SeedRequest. Blocks on the file system.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "vm/machine_spec.h"

namespace muster::vm {

struct SeedFiles {
  std::string host_name;  // empty: the machine's name
  std::vector<std::string> public_keys;
  std::string user_data, network_config;  // empty: none
};

// nullopt where nothing was named. Throws base::Error{usage} for a file that is missing, too large, or holds no public
// key where one should be; a private key is refused by name.
std::optional<SeedRequest> read_seed(const SeedFiles& files);

}  // namespace muster::vm
