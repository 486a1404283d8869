// Single files out of a disk, as a backup serves one: a disk behind an NBD server is looked into, nothing is mounted
// and nothing written, and root is not needed. One object is one thread's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "disk/guest_file_system.h"

namespace muster::disk {

struct GuestDisk {
  std::string uri;   // of a Unix socket, as GuestImage takes it
  std::string name;  // in errors
  // Which partition; without: the only file system, the one with /etc/fstab, or the largest.
  std::optional<unsigned> partition = std::nullopt;
  std::string temporary_directory = {};  // empty: the system's
};

// Both throw what GuestFileSystem's functions throw, and for the disk: Error{unsupported} naming the package that is
// not installed, or what is in the disk where nothing here reads that; Error{usage} with a list of all where several
// file systems may be meant, or none has that number. Warn where what was written last may be missing.
std::vector<GuestEntry> list_directory(const base::Context& ctx, const GuestDisk& disk, const std::string& path);
// The sink may have got some of it when this throws.
void read_file(const base::Context& ctx, const GuestDisk& disk, const std::string& path, const GuestSink& sink);

}  // namespace muster::disk
