// The format of images as options say it.
#pragma once

#include <optional>
#include <string_view>

#include "cli/settings.h"
#include "disk/image_file.h"

namespace muster::cli {

// `raw` or `qcow2`; nullopt: it is not given. Throws base::Error{usage}.
std::optional<disk::ImageFormat> image_format(const Settings& settings, std::string_view option);

}  // namespace muster::cli
