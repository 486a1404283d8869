#include "cli/image_format.h"

#include <string>

namespace muster::cli {

std::optional<disk::ImageFormat> image_format(const Settings& settings, std::string_view option) {
  const auto text = settings.text(option);
  if (!text) return std::nullopt;
  if (const auto format = disk::image_format_named(*text)) return format;
  settings.reject(option, "'" + *text + "': write raw or qcow2");
}

}  // namespace muster::cli
