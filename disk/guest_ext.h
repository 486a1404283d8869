// ext2, ext3 and ext4 through e2fsprogs' debugfs, by numbers of inodes: no name of the guest's ever becomes part of a
// command. The journal is not replayed: of a file system that was in use, what was written last may be missing. Not
// thread-safe.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "disk/block_device.h"
#include "disk/guest_ext_text.h"
#include "disk/guest_file_system.h"
#include "disk/guest_image.h"

namespace muster::disk {

class ExtFiles : public GuestFileSystem {
 public:
  // `image` outlives it. `name` is what errors call the file system.
  ExtFiles(const GuestImage& image, ByteRange range, std::string name);

  // Its journal has something to replay.
  bool needs_recovery() const;
  // A regular file of that path is there. Throws as the others, but for Error{not_found, usage}.
  bool is_file(const base::Context& ctx, const std::string& path);

  std::vector<GuestEntry> list(const base::Context& ctx, const std::string& path) override;
  void read(const base::Context& ctx, const std::string& path, const GuestSink& sink) override;

 private:
  struct Found {
    std::uint32_t number = 0;
    ExtInode inode;
    std::string name;  // the last of the path it was found by
  };
  class Walk;

  std::optional<Found> look_up(const base::Context& ctx, const std::string& path);
  Found find(const base::Context& ctx, const std::string& path);
  std::vector<ExtName> names_in(const base::Context& ctx, std::uint32_t directory);
  std::vector<ExtInode> inodes(const base::Context& ctx, std::span<const std::uint32_t> numbers);
  std::string target_of(const base::Context& ctx, std::uint32_t number, const ExtInode& inode);
  GuestEntry entry_of(const base::Context& ctx, const Found& found);
  void read_inode(const base::Context& ctx, std::uint32_t number, const GuestSink& sink);
  std::string ask(const base::Context& ctx, const std::vector<std::string>& words, std::size_t most_bytes);

  const GuestImage& image_;
  const ByteRange range_;
  const std::string device_, name_;
};

}  // namespace muster::disk
