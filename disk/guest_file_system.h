// A file system inside a disk, only looked at: directories and the bytes of files. Two ways to do it stand behind this:
// e2fsprogs for ext2, ext3 and ext4, libguestfs for all else. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/context.h"

namespace muster::disk {

enum class GuestFileType { file, directory, link, character_device, block_device, fifo, socket, unknown };
// From the type bits of a mode, as Linux has them.
GuestFileType guest_file_type(std::uint32_t mode);

struct GuestEntry {
  std::string name;  // bytes, whatever the guest wrote
  GuestFileType type = GuestFileType::unknown;
  std::uint64_t size_bytes = 0;
  std::uint32_t mode = 0;  // permissions alone: at most 07777
  std::uint32_t uid = 0, gid = 0;
  std::chrono::sys_seconds modified;
  std::string target = {};  // of a link
};

// Throws Error{usage} for a path in `name` that does not begin with a slash, or has more than 4,095 bytes or a NUL.
void check_guest_path(const std::string& name, const std::string& path);

// Gets the bytes of a file in order, in pieces.
using GuestSink = std::function<void(base::ByteView)>;

class GuestFileSystem {
 public:
  virtual ~GuestFileSystem() = default;

  // All throw Error{not_found} for a path that is not there, Error{usage} where it is of the wrong type, Error{corrupt}
  // for damage, Error{unsupported} for what cannot be read (as encrypted files), Error{io, timeout, cancelled}.

  // What is in a directory, sorted by name, without `.` and `..`. Of anything else: that alone, by its path's last
  // name. A link at the end of the path is followed where it leads to a directory.
  virtual std::vector<GuestEntry> list(const base::Context& ctx, const std::string& path) = 0;
  // A regular file's bytes; holes as zeroes. Links are followed.
  virtual void read(const base::Context& ctx, const std::string& path, const GuestSink& sink) = 0;
};

}  // namespace muster::disk
