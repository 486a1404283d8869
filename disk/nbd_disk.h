// Disks behind NBD servers: QEMU's, libvirt's backup jobs, nbdkit, whatever speaks the protocol
// (https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md). What is made here is thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/context.h"
#include "disk/block_device.h"

namespace muster::disk {

struct NbdOptions {
  unsigned connections = 4;  // as many calls are at work at once, if the server has multi-conn; else one
  std::chrono::milliseconds connect_timeout{30'000};
  std::chrono::milliseconds request_timeout{60'000};  // for the next answer, not for a whole call
  std::string name = {};                              // what errors call the disk; empty: the URI
  std::shared_ptr<const void> needs = {};             // lives as long as the disk, as the server does
};

// Of an export on a Unix socket.
std::string nbd_unix_uri(const std::string& socket_path, const std::string& export_name = {});

// The text is a URI of one of the schemes that are taken: nbd, nbds, nbd+unix, nbds+unix.
bool is_nbd_uri(const std::string& text);

// `uri`: as in https://github.com/NetworkBlockDevice/nbd/blob/master/doc/uri.md. It may name no local file (as of
// keys). Throws Error{usage} for another scheme or what is no URI, Error{unreachable} where there is no server or no
// such export, Error{timeout, cancelled}. Calls throw Error{io} for what the server refuses and once it is gone,
// Error{timeout} where no answer comes, Error{cancelled}; after the latter two the connection is not used again.
//
// data_ranges() leaves out what the server says reads as zeroes; a hole may read as anything, and what it does not tell
// of may hold data. A call of more than 2 MiB has many requests under way.
std::unique_ptr<BlockReader> open_nbd(const base::Context& ctx, const std::string& uri, const NbdOptions& options = {});

// What changed, by QEMU's dirty bitmap of that metadata context: sorted, apart from each other; what the server does
// not tell of counts as changed. Throws as open_nbd() does, and Error{unsupported} where the server has no such
// context.
std::vector<ByteRange> changed_ranges(const base::Context& ctx, const std::string& uri, const std::string& context,
                                      const NbdOptions& options = {});

// Error{unsupported} also for an export that is read-only. With a server that cannot flush there is a warning.
std::unique_ptr<BlockWriter> open_nbd_writer(const base::Context& ctx, const std::string& uri,
                                             const NbdOptions& options = {});

}  // namespace muster::disk
