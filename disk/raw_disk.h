// Raw disks: a file or block device whose bytes are the disk's. The files are locked as QEMU locks them, so that no
// disk of a running machine is read while it changes, or written under it. What is made here is thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "disk/block_device.h"

namespace muster::disk {

// Throws Error{not_found}, Error{usage} for what is no file or block device, Error{busy} for what another process
// writes to, Error{io}. A file that shrinks while it is read is Error{io}. Holes are told of as far as the file system
// tells; a block device counts as data all through.
std::unique_ptr<BlockReader> open_raw(const std::string& path);

// What is there already, its size stays. Error{busy} also where another process reads it, or a device is mounted.
std::unique_ptr<BlockWriter> open_raw_writer(const std::string& path);

// A new file that takes no space yet, of mode 0600, durable once it returns.
// Throws Error{refused} for a path that exists, Error{not_found, no_space, io}.
void create_raw(const std::string& path, std::uint64_t size_bytes);

}  // namespace muster::disk
