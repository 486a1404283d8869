// xfs, btrfs, vfat and whatever else a Linux kernel reads, through libguestfs' guestfish: it boots a small machine of
// its own on the image, which takes half a minute and more without KVM, and keeps what a guest wrote away from this
// host's kernel. Not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "disk/guest_file_system.h"
#include "disk/guest_image.h"
#include "disk/guest_program.h"
#include "disk/guest_volumes.h"

namespace muster::disk {

class FishFiles : public GuestFileSystem {
 public:
  // `image` outlives it. `name` is what errors call the file system.
  FishFiles(const GuestImage& image, const GuestVolume& volume, std::string name);

  std::vector<GuestEntry> list(const base::Context& ctx, const std::string& path) override;
  void read(const base::Context& ctx, const std::string& path, const GuestSink& sink) override;

 private:
  GuestProgram guestfish(const std::string& commands) const;
  void expect_success(const GuestProgramEnd& end, const std::string& path) const;

  const GuestImage& image_;
  const std::string device_, name_, type_;
};

// The answers to what FishFiles asks about each of `names`. Throws Error{corrupt}.
std::vector<GuestEntry> parse_fish_answers(std::string_view text, const std::vector<std::string>& names);

}  // namespace muster::disk
