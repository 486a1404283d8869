// New qcow2 images, written by this process alone: what is restored or copied whole goes into the file as into a raw
// one, without a qemu-nbd between. Format: https://gitlab.com/qemu-project/qemu/-/blob/master/docs/interop/qcow2.txt,
// version 3, reference counts of 16 bits, no backing file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "disk/block_device.h"

namespace muster::disk {

inline constexpr std::uint64_t kQcow2ClusterBytes = 64U << 10;

// A new image without data, of mode 0600; `size_bytes` is rounded up to whole sectors of 512, and `cluster_bytes` is a
// power of two from 512 to 2 MiB. At any moment it is an image that QEMU opens: one whose writer was killed has what
// was written, and up to 2 GiB of its file that nobody uses, which drop_leaks() gives back. QEMU and muster take it for
// in use as long as the object lives. Writes begin and end at the bounds of clusters, or end in the last one: else
// write() and write_zeroes() throw Error{usage}. Throws Error{refused} for a path that exists, Error{usage} for a disk
// that is too large (1.9 PiB with these clusters), Error{not_found, no_space, io}.
std::unique_ptr<BlockWriter> create_qcow2_writer(const base::Context& ctx, const std::string& path,
                                                 std::uint64_t size_bytes,
                                                 std::uint64_t cluster_bytes = kQcow2ClusterBytes);

}  // namespace muster::disk
