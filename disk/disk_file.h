// Opens a file or block device that holds a disk, and says no clearly to all else. Blocks on the file system.
#pragma once

#include <cstdint>
#include <string>

#include "base/unique_fd.h"

namespace muster::disk {

enum class Access { read, write };
enum class FileKind { regular, block_device };

struct DiskFile {
  base::UniqueFd fd;
  FileKind kind = FileKind::regular;
  std::uint64_t size_bytes = 0;
};

// Throws Error{not_found}, Error{usage} for what is no file or block device, Error{io}; for writing, Error{busy} for a
// device that is mounted or part of another.
DiskFile open_disk_file(const std::string& path, Access access);

// As a lock of the file, which lives as long as its descriptor: the bytes that QEMU locks in every image that it opens
// (block/file-posix.c: 100 and up for what it does, 200 and up for what it lets others do), so that a machine and
// muster see each other. Where the file system has no locks there are none, as with QEMU. Throws Error{busy} where
// another process writes to the file; for writing, also where another reads it.
void lock_as_qemu_does(const DiskFile& file, const std::string& path, Access access);

// Lets a program that is started for it write to the file as well; others are still kept from it as far as they look.
void share_lock_with_writer(const DiskFile& file);

}  // namespace muster::disk
