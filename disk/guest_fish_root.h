// GuestRoot through libguestfs, which finds the system in the disks and mounts what that would mount.
#pragma once

#include <string>
#include <vector>

#include "disk/guest_fish_session.h"
#include "disk/guest_root.h"

namespace muster::disk {

class FishRoot : public GuestRoot {
 public:
  // `name` is what errors call the machine's disks.
  FishRoot(const base::Context& ctx, const std::vector<MachineDisk>& disks, Access access, const std::string& name,
           const std::string& temporary_directory);

  std::vector<std::string> names_in(const base::Context& ctx, const std::string& directory) override;
  std::optional<std::string> read(const base::Context& ctx, const std::string& path) override;
  void write(const base::Context& ctx, const std::string& path, std::string_view content,
             const GuestOwner& fresh) override;
  void remove(const base::Context& ctx, const std::string& path) override;
  void make_directory(const base::Context& ctx, const std::string& path, const GuestOwner& fresh) override;
  void commit(const base::Context& ctx) override { fish_.close(ctx); }

 private:
  void mount(const base::Context& ctx, Access access);
  bool holds(const base::Context& ctx, const char* question, const std::string& path) const;
  void own(const base::Context& ctx, const std::string& path, const GuestOwner& owner) const;

  FishSession fish_;
};

// `MOUNT POINT: DEVICE` lines of guestfish's inspect-get-mountpoints, in an order in which they can be mounted. Throws
// Error{corrupt}.
struct MountPoint {
  std::string path, device;
};
std::vector<MountPoint> parse_mount_points(std::string_view text);

}  // namespace muster::disk
