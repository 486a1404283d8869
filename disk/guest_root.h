// The files of the system in a machine's disks, while nobody runs it: its whole tree as it would mount it, looked at
// and changed. ext2, ext3 and ext4 without anything else mounted into them through e2fsprogs, in a second; all else, as
// xfs, btrfs, LVM and several disks, through libguestfs, which boots a small machine of its own. Either way what a
// guest wrote stays away from this host's kernel. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "disk/disk_file.h"
#include "disk/image_file.h"

namespace muster::disk {

// Whose a new file is.
struct GuestOwner {
  std::uint32_t mode = 0644;  // permissions alone: at most 07777
  std::uint32_t uid = 0, gid = 0;
  std::string_view label = {};  // a constant: SELinux's, where the guest has such; empty: that of its directory
};

class GuestRoot {
 public:
  // Of files that are read or written.
  static constexpr std::size_t kMaxFileBytes = 4U << 20;

  virtual ~GuestRoot() = default;

  // All throw Error{usage} for a path that does not begin with a slash, Error{corrupt} for damage and files of more
  // than kMaxFileBytes, Error{unsupported} for what cannot be read, Error{io, timeout, cancelled}. Links are followed,
  // in directories and at the end, unless something else is said.

  // In no order, without `.` and `..`; empty: there is no such directory.
  virtual std::vector<std::string> names_in(const base::Context& ctx, const std::string& directory) = 0;
  // Of a regular file; nullopt: there is none.
  virtual std::optional<std::string> read(const base::Context& ctx, const std::string& path) = 0;

  // A regular file with this content. One that is there keeps its owner, mode and SELinux label; a new one is
  // `fresh`'s. What was written is read again. Error{not_found} where there is no such directory, Error{usage} for what
  // is there and no regular file, Error{unsupported} for names that are not plain (is_plain_guest_name),
  // Error{no_space}.
  virtual void write(const base::Context& ctx, const std::string& path, std::string_view content,
                     const GuestOwner& fresh) = 0;
  // A file, or a link itself. Nothing where there is none. Error{usage} for a directory, Error{unsupported} as above.
  virtual void remove(const base::Context& ctx, const std::string& path) = 0;
  // Nothing where it is there.
  virtual void make_directory(const base::Context& ctx, const std::string& path, const GuestOwner& fresh) = 0;

  // The last call of who changed something: returns once all of it is in the images, which nobody has open any more.
  // Throws Error{no_space, io, timeout, cancelled}: then nothing may be relied on.
  virtual void commit(const base::Context& ctx) = 0;
};

// Letters, digits, `._@:+~-`, and after the first spaces and `,()`: what is never anything else, in quotes, to the
// programs that change files.
bool is_plain_guest_name(std::string_view name);
// Throws Error{unsupported} about a path in `where`, whose last name this is.
void check_plain_guest_name(const std::string& where, const std::string& path, std::string_view name);

struct MachineDisk {
  std::string path;
  ImageFormat format = ImageFormat::qcow2;
  // Where somebody serves it already, as on another host: an NBD URI of a Unix socket, and who has to stay for that.
  std::string uri = {};
  std::shared_ptr<const void> server = {};
};

// `disks`: in the machine's order, the first with its system. Error{busy} where somebody uses one of them,
// Error{unsupported} naming what is not installed, or where there is no system of Linux's that is known, or several;
// Error{corrupt} for a file system that its own tools do not mend by themselves; Error{io, timeout, cancelled}.
std::unique_ptr<GuestRoot> open_guest_root(const base::Context& ctx, const std::vector<MachineDisk>& disks,
                                           Access access, const std::string& temporary_directory = "");

}  // namespace muster::disk
