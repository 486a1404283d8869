#include "archive/iso_image.h"

#include <memory>

#include <archive.h>
#include <archive_entry.h>

#include "base/error.h"

namespace muster::archive {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kMaxLabel = 32;

struct Free {
  void operator()(::archive* writer) const { archive_write_free(writer); }
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};
using Writer = std::unique_ptr<::archive, Free>;

la_ssize_t append(::archive*, void* image, const void* bytes, std::size_t count) {
  static_cast<std::string*>(image)->append(static_cast<const char*>(bytes), count);
  return static_cast<la_ssize_t>(count);
}

void check(const Writer& writer, int result) {
  if (result == ARCHIVE_OK) return;
  const char* reason = archive_error_string(writer.get());
  throw Error(Code::io,
              std::string("write an ISO image: ") + (reason == nullptr ? "libarchive does not say why" : reason));
}

void check(const std::string& label, const std::vector<IsoFile>& files) {
  if (label.empty() || label.size() > kMaxLabel || label.find_first_of(",:") != std::string::npos)
    throw Error(Code::usage, "ISO label '" + label + "': write 1 to 32 letters and digits");
  std::size_t total = 0;
  for (const auto& file : files) {
    if (file.name.empty() || file.name == "." || file.name == ".." || file.name.find('/') != std::string::npos)
      throw Error(Code::usage, "'" + file.name + "' is no name for a file of an ISO image");
    total += file.bytes.size();
  }
  if (total > kMaxIsoBytes)
    throw Error(Code::usage,
                "the files of an ISO image are larger than " + std::to_string(kMaxIsoBytes >> 20) + " MiB");
}

void add(const Writer& writer, const IsoFile& file, std::int64_t modified) {
  const std::unique_ptr<archive_entry, Free> entry(archive_entry_new());
  if (!entry) throw std::bad_alloc();
  archive_entry_set_pathname(entry.get(), file.name.c_str());
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(file.bytes.size()));
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0444);
  archive_entry_set_mtime(entry.get(), modified, 0);
  check(writer, archive_write_header(writer.get(), entry.get()));
  if (archive_write_data(writer.get(), file.bytes.data(), file.bytes.size()) !=
      static_cast<la_ssize_t>(file.bytes.size()))
    check(writer, ARCHIVE_FATAL);
}

}  // namespace

std::string iso_image(const std::string& label, const std::vector<IsoFile>& files, std::int64_t modified) {
  check(label, files);
  std::string image;
  const Writer writer(archive_write_new());
  if (!writer) throw std::bad_alloc();
  check(writer, archive_write_set_format_iso9660(writer.get()));
  const std::string options = "iso9660:joliet,iso9660:rockridge,iso9660:volume-id=" + label;
  check(writer, archive_write_set_options(writer.get(), options.c_str()));
  check(writer, archive_write_open(writer.get(), &image, nullptr, append, nullptr));
  for (const auto& file : files) add(writer, file, modified);
  check(writer, archive_write_close(writer.get()));
  return image;
}

}  // namespace muster::archive
