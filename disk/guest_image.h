// A disk behind an NBD server as a raw file, for programs that know nothing of NBD: QEMU's storage daemon presents it
// over FUSE, which needs neither root nor the kernel's nbd. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/child_process.h"
#include "base/context.h"
#include "disk/block_device.h"
#include "disk/disk_file.h"
#include "disk/image_server.h"

namespace muster::disk {

class GuestImage {
 public:
  // `uri` is of a Unix socket, as ImageServer and nbdkit have them. `name` is what errors call the disk. Returns once
  // the file can be read. `part`: only these bytes of the disk. Throws Error{unsupported} naming what is not installed,
  // or that FUSE is not to be had; Error{usage} for another URI; Error{io, timeout, cancelled}.
  GuestImage(const base::Context& ctx, const std::string& uri, const std::string& name,
             const std::string& temporary_directory = "", Access access = Access::read,
             std::optional<ByteRange> part = std::nullopt);
  GuestImage(const GuestImage&) = delete;
  GuestImage& operator=(const GuestImage&) = delete;
  // It also goes when this process is killed.
  ~GuestImage();

  // Before that, for who wrote to it. Throws Error{io} where not all of it went to the server. It is not there after.
  void close();

  // Using it takes as long as the server does. What was written is there once the file was synced.
  std::string path() const { return directory_.path() + "/disk"; }
  // For other files, gone with this.
  const std::string& directory() const { return directory_.path(); }
  const std::string& name() const { return name_; }
  std::uint64_t size_bytes() const { return size_bytes_; }

 private:
  void await_start(const base::Context& ctx);

  std::string name_;
  PrivateDirectory directory_;
  base::ChildProcess program_;
  std::uint64_t size_bytes_ = 0;
  bool closed_ = false;
};

}  // namespace muster::disk
