// A NoCloud seed: the files on a small volume labelled `cidata` from which cloud-init, or what stands in for it, takes
// a guest's name, keys and more at its first boot. The format is
// https://cloudinit.readthedocs.io/en/latest/reference/datasources/nocloud.html. Pure functions but for the ISO's
// temporary file.
#pragma once

#include <string>

#include "vm/machine_spec.h"

namespace muster::vm {

inline constexpr std::size_t kMaxUserData = 4U << 20;

// With the keys where user-data is the user's own. `instance_id` is what makes a boot the first one: another id,
// another first boot.
std::string meta_data(const SeedRequest& seed, const std::string& instance_id);
// As the user wrote it, else #cloud-config with the host name and the keys, which are for the image's usual user.
std::string user_data(const SeedRequest& seed);

// Throws base::Error{usage} for user-data and network configuration of more than kMaxUserData together, for user-data
// that does not begin with `#`, `Content-Type:`, `MIME-Version:`, `From ` or as gzip does, none of which cloud-init
// would take, and for keys that are not one line each.
void check(const SeedRequest& seed);

// The volume as an ISO 9660 image.
std::string seed_image(const SeedRequest& seed, const std::string& instance_id);

}  // namespace muster::vm
