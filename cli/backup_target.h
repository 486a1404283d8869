// Where one disk of a restore point goes: a new file, which has its name once it is whole, or a file or block device
// that is there. Used by one thread; blocks on the file system.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "backup/restore.h"
#include "base/context.h"
#include "disk/block_device.h"
#include "disk/image_file.h"

namespace muster::cli {

class RestoreTarget {
 public:
  struct Wanted {
    std::string path;
    std::uint64_t size_bytes = 0;
    std::optional<disk::ImageFormat> format;  // raw unless told
    bool delta = false;                       // what is there is read first
  };
  // Only looks. Throws base::Error{usage} for what is no file or block device, or looks like another format than raw
  // without having been told; Error{refused} for a raw file that is smaller than the disk.
  explicit RestoreTarget(Wanted wanted);

  const std::string& path() const { return wanted_.path; }
  bool exists() const { return exists_; }
  disk::ImageFormat format() const { return format_; }

  // Makes PATH.muster-partial, or goes on with the one that an interrupted restore left; or opens what is there: a raw
  // file that is larger than the disk is cut by finish(). Throws base::Error{refused} for what is smaller than the
  // disk, Error{busy} for what is in use, Error{not_found, no_space, io, unsupported}.
  void open(const base::Context& ctx);
  disk::BlockWriter& disk() { return *disk_; }
  backup::Before before() const { return before_; }
  // What is there but does not belong to the disk.
  std::uint64_t excess_bytes() const { return excess_bytes_; }

  // Closes it; a new file gets its name, durable. Throws base::Error{refused} where somebody took that meanwhile.
  void finish();

 private:
  std::string partial() const { return wanted_.path + ".muster-partial"; }
  std::uint64_t image_bytes() const;
  bool resume(const base::Context& ctx);
  bool opens(const base::Context& ctx);
  [[noreturn]] void refuse_smaller(std::uint64_t there) const;
  void open_existing(const base::Context& ctx);

  Wanted wanted_;
  bool exists_ = false, is_file_ = false;
  disk::ImageFormat format_ = disk::ImageFormat::raw;
  backup::Before before_ = backup::Before::blank;
  std::uint64_t excess_bytes_ = 0;
  bool cut_ = false;  // to the disk's size, at the end
  std::unique_ptr<disk::BlockWriter> disk_;
};

}  // namespace muster::cli
