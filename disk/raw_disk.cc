#include "disk/raw_disk.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "disk/byte_ranges.h"
#include "disk/disk_file.h"
#include "disk/file_io.h"
#include "disk/new_file.h"

namespace muster::disk {
namespace {

using base::Code;
using base::Error;

// Between two looks at the stop token.
constexpr std::uint64_t kZeroStepBytes = 1ULL << 30;
// No device has larger sectors.
constexpr std::uint64_t kDeviceBlockBytes = 4096;

base::ByteView zero_bytes() {
  static const base::Bytes zeroes(1U << 20);
  return zeroes;
}

class RawDisk : public BlockWriter {
 public:
  RawDisk(std::string path, DiskFile file) : path_(std::move(path)), file_(std::move(file)) {}

  std::uint64_t size_bytes() const override { return file_.size_bytes; }
  std::vector<ByteRange> data_ranges(const base::Context& ctx, ByteRange within) override;
  void read(const base::Context& ctx, std::uint64_t offset, base::MutableBytes into) override;
  void write(const base::Context& ctx, std::uint64_t offset, base::ByteView bytes) override;
  void write_zeroes(const base::Context& ctx, ByteRange range) override;
  void flush(const base::Context& ctx) override;

 private:
  enum class Told { yes, no };

  bool is_device() const { return file_.kind == FileKind::block_device; }
  Told tell_data(const base::Context& ctx, ByteRange within, RangeList& data) const;
  std::optional<std::uint64_t> seek(std::uint64_t offset, int whence) const;
  void check_not_shrunk() const;
  void zero_step(const base::Context& ctx, ByteRange range);
  bool zeroed_by_kernel(ByteRange range) const;
  void write_zero_bytes(const base::Context& ctx, ByteRange range);

  const std::string path_;
  const DiskFile file_;
};

std::vector<ByteRange> RawDisk::data_ranges(const base::Context& ctx, ByteRange within) {
  check_within(path_, within, size_bytes());
  RangeList data;
  if (is_device() || tell_data(ctx, within, data) == Told::no) {
    RangeList all;
    all.add(within);
    return all.take();
  }
  check_not_shrunk();  // what is gone looks like a hole
  return data.take();
}

RawDisk::Told RawDisk::tell_data(const base::Context& ctx, ByteRange within, RangeList& data) const {
  for (std::uint64_t at = within.offset; at < within.end();) {
    ctx.check_stop();
    const auto begin = seek(at, SEEK_DATA);
    if (!begin && errno == ENXIO) return Told::yes;  // holes up to the end
    const auto end = begin ? seek(*begin, SEEK_HOLE) : std::nullopt;
    if (!end) return Told::no;
    data.add(common({*begin, *end - *begin}, within));
    at = *end;
  }
  return Told::yes;
}

// The place in the descriptor moves, which nobody looks at: reads and writes name theirs.
std::optional<std::uint64_t> RawDisk::seek(std::uint64_t offset, int whence) const {
  const off_t found = ::lseek(file_.fd.get(), static_cast<off_t>(offset), whence);
  return found < 0 ? std::nullopt : std::optional(static_cast<std::uint64_t>(found));
}

void RawDisk::check_not_shrunk() const {
  struct stat seen {};
  if (::fstat(file_.fd.get(), &seen) != 0) base::throw_errno(path_);
  if (!is_device() && static_cast<std::uint64_t>(seen.st_size) < size_bytes())
    throw Error(Code::io,
                fmt::format("{} shrank from {} to {} bytes while it was read", path_, size_bytes(), seen.st_size));
}

void RawDisk::read(const base::Context& ctx, std::uint64_t offset, base::MutableBytes into) {
  check_within(path_, {offset, into.size()}, size_bytes());
  const std::size_t got = read_file_at(ctx, {file_.fd.get(), path_}, offset, into);
  if (got == into.size()) return;
  check_not_shrunk();
  throw Error(Code::io, fmt::format("{} ends at byte {}", path_, offset + got));
}

void RawDisk::write(const base::Context& ctx, std::uint64_t offset, base::ByteView bytes) {
  check_within(path_, {offset, bytes.size()}, size_bytes());
  write_file_at(ctx, {file_.fd.get(), path_}, offset, bytes);
}

void RawDisk::write_zeroes(const base::Context& ctx, ByteRange range) {
  check_within(path_, range, size_bytes());
  const ByteRange whole = is_device() ? covered_blocks(range, kDeviceBlockBytes) : range;
  for (std::uint64_t at = whole.offset; at < whole.end(); at += kZeroStepBytes)
    zero_step(ctx, {at, std::min(kZeroStepBytes, whole.end() - at)});
  for (const ByteRange edge : edges(range, whole)) write_zero_bytes(ctx, edge);
}

void RawDisk::zero_step(const base::Context& ctx, ByteRange range) {
  ctx.check_stop();
  if (!zeroed_by_kernel(range)) write_zero_bytes(ctx, range);
}

// A hole, which is said to read as zeroes for devices too; else BLKZEROOUT, which writes them where the device cannot.
// BLKDISCARD is not asked: what it leaves behind may be anything.
bool RawDisk::zeroed_by_kernel(ByteRange range) const {
  constexpr int kHole = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  const auto offset = static_cast<off_t>(range.offset), length = static_cast<off_t>(range.length);
  int result = 0;
  do result = ::fallocate(file_.fd.get(), kHole, offset, length);
  while (result != 0 && errno == EINTR);
  if (result == 0) return true;
  if (!is_device()) return false;
  std::uint64_t wanted[2] = {range.offset, range.length};
  return ::ioctl(file_.fd.get(), BLKZEROOUT, wanted) == 0;
}

void RawDisk::write_zero_bytes(const base::Context& ctx, ByteRange range) {
  while (range.length > 0) {
    const auto piece = zero_bytes().first(std::min<std::uint64_t>(range.length, zero_bytes().size()));
    write(ctx, range.offset, piece);
    range = {range.offset + piece.size(), range.length - piece.size()};
  }
}

void RawDisk::flush(const base::Context& ctx) {
  ctx.check_stop();
  if (::fdatasync(file_.fd.get()) != 0) base::throw_errno(path_ + ": flush");
}

DiskFile open_locked(const std::string& path, Access access) {
  DiskFile file = open_disk_file(path, access);
  lock_as_qemu_does(file, path, access);
  return file;
}

}  // namespace

std::unique_ptr<BlockReader> open_raw(const std::string& path) {
  DiskFile file = open_locked(path, Access::read);
  ::posix_fadvise(file.fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);  // a hint: what it says does not matter
  return std::make_unique<RawDisk>(path, std::move(file));
}

std::unique_ptr<BlockWriter> open_raw_writer(const std::string& path) {
  return std::make_unique<RawDisk>(path, open_locked(path, Access::write));
}

void create_raw(const std::string& path, std::uint64_t size_bytes) {
  if (size_bytes > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max()))
    throw Error(Code::usage, path + ": no file can be that large");
  NewFile file(path);
  if (::ftruncate(file.fd(), static_cast<off_t>(size_bytes)) != 0)
    base::throw_errno(fmt::format("make {} of {} bytes", path, size_bytes));
  file.keep();
}

}  // namespace muster::disk
