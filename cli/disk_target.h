// What `muster disk` is about: an image of this host by its path, or a disk of machines, `PATTERN:DISK`.
#pragma once

#include <string>

namespace muster::cli {

struct DiskTarget {
  std::string path;           // of an image; empty: a disk of machines
  std::string pattern, disk;  // of machines: which they are, and `vda`

  bool is_file() const { return !path.empty(); }
};

// A word with a slash is a path, and so is one that names a file; `URI#DOMAIN:DISK` is a disk. Throws
// base::Error{usage} for what is neither.
DiskTarget parse_disk_target(const std::string& text);

}  // namespace muster::cli
