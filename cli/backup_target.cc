#include "cli/backup_target.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/size_text.h"
#include "disk/image_claim.h"
#include "disk/open_image.h"

namespace muster::cli {
namespace {

using backup::Before;
using base::Code;
using base::Error;
using disk::ImageFormat;

constexpr std::uint64_t kSectorBytes = 512;

void sync(const std::string& path, int flags) {
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
  if (!fd || ::fsync(fd.get()) != 0) base::throw_errno("sync " + path);
}

// Never over something that has come meanwhile, as far as the file system knows how to.
void rename_new(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return;
  if (errno == EEXIST) throw Error(Code::refused, to + " has come to be meanwhile; what was restored is in " + from);
  if ((errno != EINVAL && errno != ENOSYS) || ::rename(from.c_str(), to.c_str()) != 0)
    base::throw_errno("rename " + from + " to " + to);
}

// What is raw unless told must not look like something else: whoever opens it later would be misled.
void check_name_of_raw(const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension();
  if (extension == ".qcow2" || extension == ".qcow")
    throw Error(Code::usage, path + " is written raw unless told otherwise: say --format qcow2 or --format raw");
}

class LocalTarget : public RestoreTarget {
 public:
  explicit LocalTarget(Wanted wanted);
  void open(const base::Context& ctx) override;
  void finish(const base::Context& ctx) override;

 private:
  std::uint64_t image_bytes() const { return format_ == ImageFormat::raw ? wanted_.size_bytes : whole_sectors(); }
  bool resume(const base::Context& ctx);
  bool opens(const base::Context& ctx);
  void open_existing(const base::Context& ctx);

  bool is_file_ = false, resumed_ = false;
  bool cut_ = false;  // to the disk's size, at the end
};

LocalTarget::LocalTarget(Wanted wanted) : RestoreTarget(std::move(wanted)) {
  struct stat facts {};
  exists_ = ::stat(wanted_.path.c_str(), &facts) == 0;
  if (!exists_ && errno != ENOENT) base::throw_errno("look at " + wanted_.path);
  is_file_ = exists_ && S_ISREG(facts.st_mode);
  if (exists_ && !is_file_ && !S_ISBLK(facts.st_mode))
    throw Error(Code::usage, wanted_.path + " is no file or block device");
  if (is_file_ && format_ == ImageFormat::raw && static_cast<std::uint64_t>(facts.st_size) < wanted_.size_bytes)
    refuse_smaller(static_cast<std::uint64_t>(facts.st_size));
  if (exists_) disk::check_unclaimed(wanted_.path);
  if (wanted_.format) return;
  check_name_of_raw(wanted_.path);
  // Says no where the file begins as another format.
  if (exists_) disk::image_format_of(wanted_.path, std::nullopt);
}

void LocalTarget::open(const base::Context& ctx) {
  if (exists_) return open_existing(ctx);
  if (resume(ctx)) return;
  disk_ = disk::create_image(ctx, partial(), format_, wanted_.size_bytes);
  before_ = Before::blank;
}

// Whether PATH.muster-partial is an image of the format that is wanted.
bool LocalTarget::opens(const base::Context& ctx) {
  try {
    disk_ = disk::open_image_writer(ctx, partial(), format_);
    return true;
  } catch (const Error& e) {
    if (e.code() == Code::io || e.code() == Code::corrupt || e.code() == Code::usage) return false;
    throw;
  }
}

// One of another disk or format is dropped: nobody else makes such names.
bool LocalTarget::resume(const base::Context& ctx) {
  struct stat facts {};
  if (::lstat(partial().c_str(), &facts) != 0) return false;
  if (S_ISREG(facts.st_mode) && facts.st_size > 0) {
    before_ = Before::similar;
    resumed_ = opens(ctx) && disk_->size_bytes() == image_bytes();
    if (resumed_) return true;
    disk_.reset();
  }
  if (::unlink(partial().c_str()) != 0) base::throw_errno("remove " + partial());
  return false;
}

void LocalTarget::open_existing(const base::Context& ctx) {
  disk_ = disk::open_image_writer(ctx, wanted_.path, format_);
  before_ = wanted_.delta ? Before::similar : Before::unknown;
  const std::uint64_t there = disk_->size_bytes();
  if (there < wanted_.size_bytes) refuse_smaller(there);
  if (there == image_bytes()) return;
  if (!is_file_ || format_ != ImageFormat::raw)
    excess_bytes_ = there - wanted_.size_bytes;
  else
    cut_ = true;
}

void LocalTarget::finish(const base::Context& ctx) {
  disk_.reset();
  if (resumed_ && format_ == ImageFormat::qcow2) disk::drop_leaks(ctx, partial());
  if (cut_ && ::truncate(wanted_.path.c_str(), static_cast<off_t>(wanted_.size_bytes)) != 0)
    base::throw_errno("cut " + wanted_.path);
  if (cut_) sync(wanted_.path, 0);
  if (exists_) return;
  // Whoever served it may have written more when it was closed.
  sync(partial(), 0);
  rename_new(partial(), wanted_.path);
  const auto directory = std::filesystem::path(wanted_.path).parent_path();
  sync(directory.empty() ? "." : directory.string(), O_DIRECTORY);
}

}  // namespace

std::uint64_t RestoreTarget::whole_sectors() const {
  return (wanted_.size_bytes + kSectorBytes - 1) / kSectorBytes * kSectorBytes;
}

void RestoreTarget::refuse_smaller(std::uint64_t there) const {
  throw Error(Code::refused, fmt::format("{} is smaller than the disk: {} of {}", wanted_.path, size_text(there),
                                         size_text(wanted_.size_bytes)));
}

std::unique_ptr<RestoreTarget> local_target(RestoreTarget::Wanted wanted) {
  return std::make_unique<LocalTarget>(std::move(wanted));
}

}  // namespace muster::cli
