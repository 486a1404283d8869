// ext2, ext3 and ext4 through e2fsprogs' debugfs, by numbers of inodes: no name of the guest's ever becomes part of a
// command. The journal is not replayed: of a file system that was in use, what was written last may be missing. Not
// thread-safe.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "disk/block_device.h"
#include "disk/guest_ext_text.h"
#include "disk/guest_file_system.h"
#include "disk/guest_image.h"

namespace muster::disk {

// The file system in a part of an image, as debugfs and e2fsck name it.
std::string ext_device(const GuestImage& image, ByteRange range);

class ExtFiles : public GuestFileSystem {
 public:
  struct Found {
    std::uint32_t number = 0;  // of the inode
    ExtInode inode;
    std::string name;  // the last of the path it was found by
  };
  // Where a path leads: a name in a directory, and what has it, if anything.
  struct Place {
    std::uint32_t directory = 0;
    std::string name;
    std::optional<Found> found;
  };
  enum class LastLink { followed, kept };

  // `image` outlives it. `name` is what errors call the file system.
  ExtFiles(const GuestImage& image, ByteRange range, std::string name);

  // Its journal has something to replay.
  bool needs_recovery() const;
  // e2fsprogs read and change all that its features make of it, by themselves: no quotas, nothing inside of inodes.
  bool is_known() const;
  // It was unmounted well, and nobody found errors in it since.
  bool is_clean() const;
  // These throw as the others, but for Error{not_found, usage}. nullopt: there is no such directory.
  std::optional<Place> locate(const base::Context& ctx, const std::string& path,
                              LastLink last_link = LastLink::followed);
  // A regular file of that path is there.
  bool is_file(const base::Context& ctx, const std::string& path);
  std::vector<ExtName> names_in(const base::Context& ctx, std::uint32_t directory);
  void read_inode(const base::Context& ctx, std::uint32_t number, const GuestSink& sink);

  // Directories and inodes on the way to a path are looked up once: somebody changed the file system.
  void forget();

  std::vector<GuestEntry> list(const base::Context& ctx, const std::string& path) override;
  void read(const base::Context& ctx, const std::string& path, const GuestSink& sink) override;

 private:
  class Walk;

  std::uint32_t in_super_block(std::uint64_t offset) const;
  Found find(const base::Context& ctx, const std::string& path);
  const std::vector<ExtName>& known_names(const base::Context& ctx, std::uint32_t directory);
  const ExtInode& known_inode(const base::Context& ctx, std::uint32_t number);
  std::vector<ExtInode> inodes(const base::Context& ctx, std::span<const std::uint32_t> numbers);
  std::string target_of(const base::Context& ctx, std::uint32_t number, const ExtInode& inode);
  GuestEntry entry_of(const base::Context& ctx, const Found& found);
  std::string ask(const base::Context& ctx, const std::vector<std::string>& words, std::size_t most_bytes);

  const GuestImage& image_;
  const ByteRange range_;
  const std::string device_, name_;
  std::map<std::uint32_t, std::vector<ExtName>> names_;
  std::map<std::uint32_t, ExtInode> inodes_;
};

}  // namespace muster::disk
