#include "archive/tar_writer.h"

#include <cerrno>
#include <exception>
#include <string>
#include <utility>

#include <archive.h>
#include <archive_entry.h>

#include "base/error.h"

namespace muster::archive {
namespace {

using base::Code;
using base::Error;
using ArchiveHandle = struct ::archive;
using EntryHandle = std::unique_ptr<struct ::archive_entry, void (*)(struct ::archive_entry*)>;

unsigned file_type(EntryType type) {
  switch (type) {
    case EntryType::directory:
      return AE_IFDIR;
    case EntryType::symlink:
      return AE_IFLNK;
    case EntryType::fifo:
      return AE_IFIFO;
    case EntryType::character_device:
      return AE_IFCHR;
    case EntryType::block_device:
      return AE_IFBLK;
    case EntryType::file:
    case EntryType::hard_link:
      return AE_IFREG;
  }
  return AE_IFREG;
}

// libarchive 3.6 writes seconds and nanoseconds beside each other, where those before 1970 are no sum any more: as in
// tar_reader.cc, the other way round. Within the last second before that, it has no way to write the fraction.
Timestamp as_written(const Timestamp& time) {
  if (time.seconds >= 0 || time.nanoseconds == 0) return time;
  if (time.seconds == -1) return {.seconds = -1};
  return {.seconds = time.seconds + 1, .nanoseconds = 1'000'000'000 - time.nanoseconds};
}

EntryHandle encode(const Entry& entry, const std::vector<Extent>& data) {
  EntryHandle made(archive_entry_new(), archive_entry_free);
  if (!made) throw Error(Code::io, "no memory to write an archive");
  struct ::archive_entry* into = made.get();
  archive_entry_set_pathname(into, entry.path.c_str());
  archive_entry_set_filetype(into, file_type(entry.type));
  archive_entry_set_perm(into, entry.mode);
  archive_entry_set_uid(into, entry.uid);
  archive_entry_set_gid(into, entry.gid);
  if (!entry.user.empty()) archive_entry_set_uname(into, entry.user.c_str());
  if (!entry.group.empty()) archive_entry_set_gname(into, entry.group.c_str());
  const Timestamp modified = as_written(entry.modified);
  archive_entry_set_mtime(into, modified.seconds, static_cast<long>(modified.nanoseconds));
  archive_entry_set_size(into, static_cast<la_int64_t>(entry.size_bytes));
  if (entry.type == EntryType::symlink) archive_entry_set_symlink(into, entry.target.c_str());
  if (entry.type == EntryType::hard_link) archive_entry_set_hardlink(into, entry.target.c_str());
  if (entry.type == EntryType::character_device || entry.type == EntryType::block_device) {
    archive_entry_set_rdevmajor(into, entry.device_major);
    archive_entry_set_rdevminor(into, entry.device_minor);
  }
  for (const auto& one : entry.xattrs)
    archive_entry_xattr_add_entry(into, one.name.c_str(), one.value.data(), one.value.size());
  for (const auto& extent : data)
    archive_entry_sparse_add_entry(into, static_cast<la_int64_t>(extent.offset),
                                   static_cast<la_int64_t>(extent.length));
  return made;
}

}  // namespace

struct TarWriter::Stream {
  explicit Stream(Sink to) : sink(std::move(to)), handle(archive_write_new(), archive_write_free) {
    if (!handle) throw Error(Code::io, "no memory to write an archive");
    check(archive_write_set_format_pax(handle.get()));
    check(archive_write_set_options(handle.get(), "hdrcharset=BINARY,xattrheader=SCHILY"));
    check(archive_write_set_bytes_in_last_block(handle.get(), 1));
    check(archive_write_open(handle.get(), this, nullptr, write, nullptr));
  }

  // A thrown exception must not pass through libarchive.
  static la_ssize_t write(ArchiveHandle* handle, void* self, const void* bytes, std::size_t size) noexcept {
    auto* stream = static_cast<Stream*>(self);
    try {
      // An archive that is given up is not written to its end.
      if (!stream->failed) stream->sink({static_cast<const std::byte*>(bytes), size});
      return static_cast<la_ssize_t>(size);
    } catch (...) {
      stream->failed = true;
      stream->failure = std::current_exception();
      archive_set_error(handle, EIO, "the sink failed");
      return -1;
    }
  }

  void check(int result) {
    if (failure) std::rethrow_exception(std::exchange(failure, nullptr));
    if (result == ARCHIVE_OK || result == ARCHIVE_WARN) return;
    const char* why = archive_error_string(handle.get());
    throw Error(Code::io, std::string("tar archive: ") + (why == nullptr ? "cannot be written" : why));
  }

  Sink sink;
  std::exception_ptr failure;
  bool failed = false;
  std::unique_ptr<ArchiveHandle, int (*)(ArchiveHandle*)> handle;
};

TarWriter::TarWriter(Sink sink) : stream_(std::make_unique<Stream>(std::move(sink))) {}

TarWriter::~TarWriter() { stream_->failed = true; }

void TarWriter::begin(const Entry& entry, const std::vector<Extent>& data) {
  const EntryHandle made = encode(entry, data);
  stream_->check(archive_write_header(stream_->handle.get(), made.get()));
}

void TarWriter::write(base::ByteView bytes) {
  while (!bytes.empty()) {
    const la_ssize_t written = archive_write_data(stream_->handle.get(), bytes.data(), bytes.size());
    stream_->check(written < 0 ? static_cast<int>(written) : ARCHIVE_OK);
    if (written == 0) throw Error(Code::io, "tar archive: more bytes than the file's size");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void TarWriter::finish() { stream_->check(archive_write_close(stream_->handle.get())); }

}  // namespace muster::archive
