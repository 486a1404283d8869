// Images that new machines are made of: found by what the user wrote, on the hypervisor. Blocks; thread-safe.
#pragma once

#include <string>

#include "virt/connection.h"
#include "virt/storage.h"

namespace muster::vm {

// `text`: VOLUME of `pool`, POOL/VOLUME, or an absolute path in the directory of a pool. Throws base::Error{not_found},
// saying where it was looked for.
virt::Volume find_image(const virt::Connection& connection, const std::string& text, const std::string& pool);

enum class ImageUse {
  copied,       // it must hold still while it is read
  read_through  // it may never change again
};
// Throws base::Error{refused} where a machine may write to the image, under whichever name, telling which machine.
void check_image_is_still(const virt::Connection& connection, const virt::Volume& image, ImageUse use);

}  // namespace muster::vm
