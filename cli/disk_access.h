// How the disks of a hypervisor's machines are reached: those of this host by their paths, those of another through an
// SSH session (tunnelled_disks.h). Any thread; blocks on files, servers and the session.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "cli/backup_images.h"
#include "cli/vm_selection.h"

namespace muster::cli {

class DiskAccess {
 public:
  virtual ~DiskAccess() = default;

  // Throws base::Error{unsupported} where the disks of that machine are not reached this way.
  virtual void check(const VmTarget& target) const = 0;
  // Where the QEMU of a domain that runs may make a socket; empty: whoever asks it to finds out.
  struct Running {
    std::int64_t id = 0;
    std::string name;
  };
  virtual std::string directory_of(const base::Context& ctx, const Running& domain) const = 0;
  // What backups of that label left beside an image when the host lost its power; where nobody else does it.
  virtual void remove_scratch(const base::Context& ctx, const std::string& image, const std::string& label) const = 0;
  // A socket of that QEMU, as this process finds it, as long as `needs` lives.
  struct Socket {
    std::string path;
    std::shared_ptr<const void> needs = {};
  };
  virtual Socket reach(const base::Context& ctx, const std::string& socket) const = 0;

  // Images of machines that are off, which nobody writes to as long as they are open; where that cannot be had,
  // check_unwritten() throws base::Error{busy} for one that was written to. What disk::image_facts() and open_image()
  // throw.
  virtual disk::ImageFacts facts(const base::Context& ctx, const std::string& path, disk::ImageFormat format) const = 0;
  virtual OpenedImage open(const base::Context& ctx, const std::string& path, disk::ImageFormat format) const = 0;
  // A qcow2 image with what a bitmap of it says.
  virtual OpenedImage open_recorded(const base::Context& ctx, const std::string& path,
                                    const std::string& bitmap) const = 0;
  virtual void check_unwritten(const base::Context& ctx, const OpenedImage& image) const = 0;
};

// Of this host.
std::shared_ptr<const DiskAccess> local_disks();

}  // namespace muster::cli
