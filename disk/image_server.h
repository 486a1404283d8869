// One image, served by qemu-nbd to this process alone for as long as the object lives: how formats other than raw are
// read and written. QEMU's locks stay on. Not thread-safe; the disks opened at uri() are.
#pragma once

#include <chrono>
#include <string>

#include "base/child_process.h"
#include "base/context.h"
#include "disk/disk_file.h"
#include "disk/image_file.h"

namespace muster::disk {

// A directory of mode 0700 in `parent`, gone with all its content at the end.
class PrivateDirectory {
 public:
  // Throws Error{not_found, no_space, io}.
  explicit PrivateDirectory(const std::string& parent);
  PrivateDirectory(const PrivateDirectory&) = delete;
  PrivateDirectory& operator=(const PrivateDirectory&) = delete;
  ~PrivateDirectory();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct ImageServerOptions {
  ImageFormat format = ImageFormat::raw;
  Access access = Access::read;
  unsigned connections = 4;
  std::string bitmap = {};               // of the image, whose content is told of; empty: none
  std::string temporary_directory = {};  // where the socket's directory is made; empty: the system's
  std::chrono::milliseconds start_timeout{30'000};
};

class ImageServer {
 public:
  // Returns once it accepts. Throws Error{unsupported} where qemu-nbd is not installed, Error{busy} for an image that
  // another process has locked, Error{io} with what qemu-nbd said, Error{timeout, cancelled}; Error{usage} for a
  // temporary directory whose name is too long for a socket.
  ImageServer(const base::Context& ctx, const std::string& image, const ImageServerOptions& options);
  ImageServer(const ImageServer&) = delete;
  ImageServer& operator=(const ImageServer&) = delete;
  // Lets it close the image, within a time; then kills it. It also ends by itself when this process does.
  ~ImageServer();

  // Before that, for who wrote to it. Throws Error{io} where not all of it is in the image. It is not there after.
  void close();

  // Of a Unix socket.
  std::string uri() const;

 private:
  std::string socket_path() const { return directory_.path() + "/socket"; }
  std::string complaint() const;
  void await_start(const base::Context& ctx, std::chrono::milliseconds patience);

  std::string image_;
  DiskFile lock_;  // of a raw image only
  PrivateDirectory directory_;
  base::ChildProcess program_;
  bool closed_ = false;
};

}  // namespace muster::disk
