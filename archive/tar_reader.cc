#include "archive/tar_reader.h"

#include <cerrno>
#include <exception>
#include <utility>

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include "base/error.h"

namespace muster::archive {
namespace {

using base::Code;
using base::Error;
using ArchiveHandle = struct ::archive;

std::string text_of(const char* text, const char* what) {
  std::string copy = text == nullptr ? "" : text;
  if (copy.size() > kMaxPathBytes) throw Error(Code::corrupt, std::string("tar archive: a ") + what + " is too long");
  return copy;
}

EntryType type_of(struct ::archive_entry* entry) {
  if (archive_entry_hardlink(entry) != nullptr) return EntryType::hard_link;
  switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
      return EntryType::file;
    case AE_IFDIR:
      return EntryType::directory;
    case AE_IFLNK:
      return EntryType::symlink;
    case AE_IFIFO:
      return EntryType::fifo;
    case AE_IFCHR:
      return EntryType::character_device;
    case AE_IFBLK:
      return EntryType::block_device;
    default:
      throw Error(Code::corrupt, "tar archive: an entry of an unknown type");
  }
}

Timestamp time_of(std::int64_t seconds, long nanoseconds) {
  if (nanoseconds < 0 || nanoseconds > 999'999'999) throw Error(Code::corrupt, "tar archive: a time makes no sense");
  // libarchive 3.6 takes the fraction of `-99.5` for one that counts from -99 on.
  if (seconds < 0 && nanoseconds > 0) {
    --seconds;
    nanoseconds = 1'000'000'000 - nanoseconds;
  }
  return {.seconds = seconds, .nanoseconds = static_cast<std::uint32_t>(nanoseconds)};
}

std::uint32_t id_of(std::int64_t id) {
  if (id < 0 || id > UINT32_MAX) throw Error(Code::corrupt, "tar archive: an owner makes no sense");
  return static_cast<std::uint32_t>(id);
}

std::vector<Xattr> xattrs_of(struct ::archive_entry* entry, std::uint64_t& dropped) {
  std::vector<Xattr> xattrs;
  std::size_t bytes = 0, size = 0;
  const char* name = nullptr;
  const void* value = nullptr;
  archive_entry_xattr_reset(entry);
  while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
    Xattr one{.name = text_of(name, "name of an attribute"), .value = {}};
    if (xattrs.size() == kMaxXattrs || size > kMaxXattrBytes - bytes) {
      ++dropped;
      continue;
    }
    bytes += size;
    if (size != 0) {
      const base::ByteView view(static_cast<const std::byte*>(value), size);
      one.value.assign(view.begin(), view.end());
    }
    xattrs.push_back(std::move(one));
  }
  return xattrs;
}

Entry decode(struct ::archive_entry* entry, std::uint64_t& dropped) {
  Entry read{.type = type_of(entry),
             .path = text_of(archive_entry_pathname(entry), "path"),
             .mode = static_cast<std::uint16_t>(archive_entry_perm(entry) & 07777U),
             .uid = id_of(archive_entry_uid(entry)),
             .gid = id_of(archive_entry_gid(entry))};
  read.user = text_of(archive_entry_uname(entry), "user's name");
  read.group = text_of(archive_entry_gname(entry), "group's name");
  read.modified = time_of(archive_entry_mtime(entry), archive_entry_mtime_nsec(entry));
  if (archive_entry_ctime_is_set(entry) != 0)
    read.changed = time_of(archive_entry_ctime(entry), archive_entry_ctime_nsec(entry));
  if (read.type == EntryType::hard_link) read.target = text_of(archive_entry_hardlink(entry), "target of a link");
  if (read.type == EntryType::symlink) read.target = text_of(archive_entry_symlink(entry), "target of a link");
  if (read.type == EntryType::file) {
    if (archive_entry_size(entry) < 0) throw Error(Code::corrupt, "tar archive: a size makes no sense");
    read.size_bytes = static_cast<std::uint64_t>(archive_entry_size(entry));
  }
  if (read.type == EntryType::character_device || read.type == EntryType::block_device) {
    read.device_major = static_cast<std::uint32_t>(archive_entry_rdevmajor(entry));
    read.device_minor = static_cast<std::uint32_t>(archive_entry_rdevminor(entry));
  }
  read.xattrs = xattrs_of(entry, dropped);
  return read;
}

}  // namespace

struct TarReader::Stream {
  explicit Stream(Source from) : source(std::move(from)), handle(archive_read_new(), archive_read_free) {
    if (!handle) throw Error(Code::io, "no memory to read an archive");
    archive_read_support_format_tar(handle.get());
  }

  // Once: libarchive reads the first header in here.
  void open() {
    if (opened) return;
    opened = true;
    check(archive_read_open(handle.get(), this, nullptr, read, nullptr));
  }

  // A thrown exception must not pass through libarchive.
  static la_ssize_t read(ArchiveHandle* handle, void* self, const void** bytes) noexcept {
    auto* stream = static_cast<Stream*>(self);
    try {
      const base::ByteView piece = stream->source();
      *bytes = piece.data();
      return static_cast<la_ssize_t>(piece.size());
    } catch (...) {
      stream->failure = std::current_exception();
      archive_set_error(handle, EIO, "the source failed");
      return -1;
    }
  }

  int check(int result) {
    if (failure) std::rethrow_exception(std::exchange(failure, nullptr));
    if (result != ARCHIVE_FATAL && result != ARCHIVE_FAILED) return result;
    const char* why = archive_error_string(handle.get());
    throw Error(Code::corrupt, std::string("tar archive: ") + (why == nullptr ? "cannot be read" : why));
  }

  Source source;
  std::unique_ptr<ArchiveHandle, int (*)(ArchiveHandle*)> handle;
  std::exception_ptr failure;
  bool opened = false;
  std::uint64_t size_bytes = 0, read_bytes = 0;  // of the entry
  std::uint64_t dropped = 0;                     // attributes
};

TarReader::TarReader(Source source) : stream_(std::make_unique<Stream>(std::move(source))) {}
TarReader::~TarReader() = default;

std::uint64_t TarReader::attributes_dropped() const { return stream_->dropped; }

std::optional<Entry> TarReader::next() {
  stream_->open();
  struct ::archive_entry* entry = nullptr;
  int result = ARCHIVE_RETRY;
  while (result == ARCHIVE_RETRY) result = stream_->check(archive_read_next_header(stream_->handle.get(), &entry));
  if (result == ARCHIVE_EOF) return std::nullopt;
  Entry read = decode(entry, stream_->dropped);
  stream_->size_bytes = read.size_bytes;
  stream_->read_bytes = 0;
  return read;
}

std::optional<TarReader::Block> TarReader::next_block() {
  const void* bytes = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  int result = ARCHIVE_RETRY;
  while (result == ARCHIVE_RETRY)
    result = stream_->check(archive_read_data_block(stream_->handle.get(), &bytes, &size, &offset));
  if (result == ARCHIVE_EOF) return std::nullopt;
  const auto at = static_cast<std::uint64_t>(offset);
  if (offset < 0 || at < stream_->read_bytes || at > stream_->size_bytes || size > stream_->size_bytes - at)
    throw Error(Code::corrupt, "tar archive: bytes of a file make no sense");
  stream_->read_bytes = at + size;
  return Block{.offset = at, .bytes = {static_cast<const std::byte*>(bytes), size}};
}

}  // namespace muster::archive
