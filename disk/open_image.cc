#include "disk/open_image.h"

#include <limits>

#include "base/error.h"
#include "disk/image_server.h"
#include "disk/nbd_disk.h"
#include "disk/new_file.h"
#include "disk/qemu_program.h"
#include "disk/raw_disk.h"

namespace muster::disk {
namespace {

using base::Code;
using base::Error;

constexpr std::uint64_t kSectorBytes = 512;

void check_no_format(const std::string& uri, const std::optional<ImageFormat>& told) {
  if (told.value_or(ImageFormat::raw) != ImageFormat::raw)
    throw Error(Code::usage, uri + " is served as the bytes of a disk: leave its format out");
}

// Serves the image; the disk that is opened with what is returned keeps the server.
struct Source {
  std::string uri;
  NbdOptions options;
};
Source serve(const base::Context& ctx, const std::string& path, Access access, const std::string& bitmap = {}) {
  check_backing_formats(path, image_facts(ctx, path, ImageFormat::qcow2));
  NbdOptions options{.name = path};
  const auto server = std::make_shared<const ImageServer>(
      ctx, path,
      ImageServerOptions{
          .format = ImageFormat::qcow2, .access = access, .connections = options.connections, .bitmap = bitmap});
  options.needs = server;
  return {server->uri(), options};
}

void create_qcow2(const base::Context& ctx, const std::string& path, std::uint64_t size_bytes) {
  if (size_bytes > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    throw Error(Code::usage, path + ": no image can be that large");
  const std::uint64_t sectors = (size_bytes + kSectorBytes - 1) / kSectorBytes;
  NewFile file(path);  // qemu-img would write over one that is there
  run_qemu_program(ctx, "make " + path,
                   {"qemu-img", "create", "-q", "-f", "qcow2", "-o", "compat=1.1,lazy_refcounts=off",
                    path_for_qemu(path), std::to_string(sectors * kSectorBytes)});
  file.keep();
}

}  // namespace

std::unique_ptr<BlockReader> open_image(const base::Context& ctx, const std::string& image,
                                        std::optional<ImageFormat> told) {
  if (is_nbd_uri(image)) {
    check_no_format(image, told);
    return open_nbd(ctx, image);
  }
  if (image_format_of(image, told) == ImageFormat::raw) return open_raw(image);
  const Source source = serve(ctx, image, Access::read);
  return open_nbd(ctx, source.uri, source.options);
}

TrackedImage open_tracked_image(const base::Context& ctx, const std::string& path, const std::string& bitmap) {
  const Source source = serve(ctx, path, Access::read, bitmap);
  return {.reader = open_nbd(ctx, source.uri, source.options),
          .changed = changed_ranges(ctx, source.uri, "qemu:dirty-bitmap:" + bitmap, source.options)};
}

std::unique_ptr<BlockWriter> open_image_writer(const base::Context& ctx, const std::string& image,
                                               std::optional<ImageFormat> told) {
  if (is_nbd_uri(image)) {
    check_no_format(image, told);
    return open_nbd_writer(ctx, image);
  }
  if (image_format_of(image, told) == ImageFormat::raw) return open_raw_writer(image);
  const Source source = serve(ctx, image, Access::write);
  return open_nbd_writer(ctx, source.uri, source.options);
}

void create_image(const base::Context& ctx, const std::string& path, ImageFormat format, std::uint64_t size_bytes) {
  if (format == ImageFormat::raw) return create_raw(path, size_bytes);
  create_qcow2(ctx, path, size_bytes);
}

}  // namespace muster::disk
