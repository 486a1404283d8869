// Where one disk of a restore point goes: a new file, which has its name once it is whole, or a file or block device
// that is there; of this host, or of another that SSH reaches. Used by one thread; blocks on files and on SSH.
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
  RestoreTarget(const RestoreTarget&) = delete;
  RestoreTarget& operator=(const RestoreTarget&) = delete;
  virtual ~RestoreTarget() = default;

  const std::string& path() const { return wanted_.path; }
  bool exists() const { return exists_; }
  disk::ImageFormat format() const { return format_; }

  // Makes PATH.muster-partial, or goes on with the one that an interrupted restore left; or opens what is there: a raw
  // file that is larger than the disk is cut by finish(), where it is of this host. Throws base::Error{refused} for
  // what is smaller than the disk, Error{busy} for what is in use, Error{not_found, no_space, io, unsupported}.
  virtual void open(const base::Context& ctx) = 0;
  disk::BlockWriter& disk() { return *disk_; }
  backup::Before before() const { return before_; }
  // What is there but does not belong to the disk.
  std::uint64_t excess_bytes() const { return excess_bytes_; }

  // Closes it; a new file gets its name, durable. Throws base::Error{refused} where somebody took that meanwhile.
  virtual void finish(const base::Context& ctx) = 0;

 protected:
  explicit RestoreTarget(Wanted wanted)
      : wanted_(std::move(wanted)), format_(wanted_.format.value_or(disk::ImageFormat::raw)) {}

  std::string partial() const { return wanted_.path + ".muster-partial"; }
  // Where QEMU or disk::create_image() made it: of whole sectors.
  std::uint64_t whole_sectors() const;
  [[noreturn]] void refuse_smaller(std::uint64_t there) const;

  const Wanted wanted_;
  disk::ImageFormat format_;
  bool exists_ = false;
  backup::Before before_ = backup::Before::blank;
  std::uint64_t excess_bytes_ = 0;
  std::unique_ptr<disk::BlockWriter> disk_;
};

// Of this host; only looks. Throws base::Error{usage} for what is no file or block device, or looks like another format
// than raw without having been told; Error{refused} for a raw file that is smaller than the disk.
std::unique_ptr<RestoreTarget> local_target(RestoreTarget::Wanted wanted);

}  // namespace muster::cli
