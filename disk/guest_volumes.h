// What lies in a disk: its partitions, or one file system all over it, and of which type each is. Asks sfdisk and
// blkid, which only look. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/context.h"
#include "disk/block_device.h"
#include "disk/guest_image.h"

namespace muster::disk {

struct GuestVolume {
  unsigned number = 0;  // of the partition; 0: the whole disk
  ByteRange range;
  std::string type;   // blkid's: ext4, xfs, vfat, swap, LVM2_member; empty: not known
  std::string label;  // of the file system
  bool has_files = false;
};

// In the order of the table. Throws Error{unsupported} where sfdisk or blkid is not installed, Error{corrupt} for a
// table that makes no sense, Error{io, timeout, cancelled}.
std::vector<GuestVolume> find_guest_volumes(const base::Context& ctx, const GuestImage& image);

// `vda.2`, `vda` for the whole of it.
std::string name_of(const GuestImage& image, const GuestVolume& volume);
// For lists: `vda.2 (ext4, 20 GiB, root)`.
std::string describe(const GuestImage& image, const GuestVolume& volume);

}  // namespace muster::disk
