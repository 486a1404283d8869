// GuestRoot on one file system of ext2, ext3 or ext4, through e2fsprogs' debugfs, which knows nothing of a journal: one
// that has something to replay is replayed by e2fsck first.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "disk/guest_ext.h"
#include "disk/guest_image.h"
#include "disk/guest_root.h"
#include "disk/guest_volumes.h"
#include "disk/image_server.h"

namespace muster::disk {

// An image as a file for as long as somebody looks into it: of a server of our own, unless it has one.
struct ServedImage {
  ServedImage(const base::Context& ctx, const MachineDisk& disk, Access access, const std::string& where);

  // After the last change. Throws Error{io} where not all of it is in the image.
  void close();

  const std::string temporary_directory;
  const std::shared_ptr<const void> others_server;
  const std::unique_ptr<ImageServer> own_server;
  const std::string uri;
  GuestImage file;
};

class ExtRoot : public GuestRoot {
 public:
  ExtRoot(std::shared_ptr<ServedImage> image, const GuestVolume& volume);

  bool is_known() const { return files_.is_known(); }
  // Before the first change: replays the journal, and mends what is wrong. Throws Error{corrupt} where e2fsck does not
  // do that by itself.
  void mend(const base::Context& ctx);

  std::vector<std::string> names_in(const base::Context& ctx, const std::string& directory) override;
  std::optional<std::string> read(const base::Context& ctx, const std::string& path) override;
  void write(const base::Context& ctx, const std::string& path, std::string_view content,
             const GuestOwner& fresh) override;
  void remove(const base::Context& ctx, const std::string& path) override;
  void make_directory(const base::Context& ctx, const std::string& path, const GuestOwner& fresh) override;
  void commit(const base::Context& ctx) override;

 private:
  ExtFiles::Place place_of(const base::Context& ctx, const std::string& path, ExtFiles::LastLink last_link);
  // In the directory of a place, by its name.
  std::string run(const base::Context& ctx, const ExtFiles::Place& place, const std::vector<std::string>& commands,
                  Access access);
  bool take_label(const base::Context& ctx, std::uint32_t inode);
  bool label_for(const base::Context& ctx, const ExtFiles::Place& place, const GuestOwner& fresh);
  std::vector<std::string> owner_commands(const std::string& name, std::uint32_t type, const GuestOwner& owner,
                                          bool labelled) const;
  std::string quoted(const char* name) const;

  std::string file(const char* name) const { return image_->file.directory() + "/" + name; }

  const std::shared_ptr<ServedImage> image_;
  const std::string device_;
  const ByteRange range_;
  const std::string name_;
  ExtFiles files_;
  std::optional<bool> labels_;
};

}  // namespace muster::disk
