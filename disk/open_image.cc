#include "disk/open_image.h"

#include "base/error.h"
#include "disk/image_server.h"
#include "disk/nbd_disk.h"
#include "disk/qcow2_writer.h"
#include "disk/qemu_program.h"
#include "disk/raw_disk.h"

namespace muster::disk {
namespace {

using base::Code;
using base::Error;

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

std::unique_ptr<BlockWriter> create_image(const base::Context& ctx, const std::string& path, ImageFormat format,
                                          std::uint64_t size_bytes) {
  if (format == ImageFormat::qcow2) return create_qcow2_writer(ctx, path, size_bytes);
  create_raw(path, size_bytes);
  return open_raw_writer(path);
}

}  // namespace muster::disk
