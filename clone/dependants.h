// Who is built on a master's images, as it is now: seen in the images' headers and the domains' definitions, whatever
// anybody wrote down. Block on storage and every domain. Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "base/context.h"
#include "clone/generation.h"
#include "virt/connection.h"
#include "virt/image_files.h"

namespace muster::clone {

struct Dependant {
  std::string image;    // that is built on the generation's, directly or not
  std::string machine;  // whose disk it is; empty: nobody's that is known
};

struct Surroundings {
  virt::ImageListing images;
  std::vector<std::pair<std::string, std::string>> disks;  // path of an image, domain that has it as a disk
};
Surroundings look_around(const base::Context& ctx, const virt::Connection& connection);

std::vector<Dependant> dependants(const Generation& generation, const Surroundings& around);

// `domain 'web01' (/x/web01-vda.qcow2), image /x/old.qcow2`, and how many more where they are many.
std::string told(const std::vector<Dependant>& dependants);

}  // namespace muster::clone
