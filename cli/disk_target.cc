#include "cli/disk_target.h"

#include <unistd.h>

#include "base/error.h"

namespace muster::cli {

DiskTarget parse_disk_target(const std::string& text) {
  const bool uri = text.find("://") != std::string::npos;
  const bool file = !uri && (text.find('/') != std::string::npos || ::access(text.c_str(), F_OK) == 0);
  if (file) return {.path = text, .pattern = {}, .disk = {}};
  const std::size_t colon = text.rfind(':'), hash = text.find('#');
  const bool named = !uri || (hash != std::string::npos && colon > hash);
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size() || !named)
    throw base::Error(base::Code::usage, "'" + text +
                                             "' is neither a file nor a disk of a machine: write a path, or "
                                             "VM:DISK as web01:vda");
  return {.path = {}, .pattern = text.substr(0, colon), .disk = text.substr(colon + 1)};
}

}  // namespace muster::cli
