// Where a machine that runs from a repository finds its disks: a directory of its own, with a socket for each, in a
// place that QEMU's user may use. Held by one process at a time; gone with the object. Blocks on the file system.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "cli/backup_export.h"
#include "cli/settings.h"

namespace muster::cli {

class BootDirectory {
 public:
  // Below `place`, for the machine of that name. Throws base::Error{busy} where another process has it, {io, refused}.
  BootDirectory(const std::string& place, const std::string& machine);
  BootDirectory(const BootDirectory&) = delete;
  BootDirectory& operator=(const BootDirectory&) = delete;
  ~BootDirectory();

  // The path of that disk's socket, which is always the same; what a killed server left there is removed. Throws
  // base::Error{usage} where it is too long for a socket.
  std::string socket_of(const std::string& disk) const;
  // A file of that name with this content, for the owner alone. Returns its path.
  std::string put_file(const std::string& name, std::string_view content) const;

 private:
  const std::string machine_, path_;
  base::UniqueFd lock_;
};

// --scratch; else where AppArmor's usual rules let QEMU come in, or, for a session's libvirt, which has nobody that it
// gives QEMU to, the user's own directory.
std::string boot_place(const Settings& settings, const std::optional<SocketOwner>& owner);

// Removes what killed processes left for machines whose name begins so.
void remove_left_directories(const std::string& place, std::string_view prefix);

}  // namespace muster::cli
