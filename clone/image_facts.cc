#include "clone/image_facts.h"

#include "base/digest.h"
#include "base/error.h"
#include "clone/content_digest.h"

namespace muster::clone {
namespace {

using base::Code;
using base::Error;

std::string header_digest(const base::Context& ctx, const virt::Volume& volume) {
  const auto digest = base::sha256(virt::download(ctx, volume, kHeaderBytes));
  return base::hex(base::as_text(digest));
}

std::string content_digest(const base::Context& ctx, const virt::Volume& volume, const ReadProgress& progress) {
  ContentDigest digest;
  virt::read_data(ctx, volume, [&](std::uint64_t offset, std::string_view bytes) {
    digest.add(offset, bytes);
    if (progress) progress(offset + bytes.size());
  });
  return digest.finish();
}

// Empty: nothing does.
std::string what_differs(const base::Context& ctx, const virt::Volume& volume, const MasterImage& image) {
  const auto now = virt::facts(volume);
  if (now.physical_bytes != image.physical_bytes)
    return "it has " + std::to_string(now.physical_bytes) + " bytes, and had " + std::to_string(image.physical_bytes);
  if (now.modified != image.modified) return "it was written to, or another file was put in its place";
  if (header_digest(ctx, volume) != image.header_sha256) return "its first bytes are others";
  return "";
}

}  // namespace

MasterImage measured(const base::Context& ctx, const virt::Volume& volume, const ReadProgress& progress) {
  const auto before = virt::facts(volume);
  MasterImage image{.target = {},
                    .path = volume.path(),
                    .format = before.format,
                    .backing_path = before.backing_path,
                    .capacity_bytes = before.capacity_bytes,
                    .allocation_bytes = before.allocation_bytes,
                    .physical_bytes = before.physical_bytes,
                    .modified = before.modified};
  image.header_sha256 = header_digest(ctx, volume);
  image.content_sha256 = content_digest(ctx, volume, progress);
  if (const auto after = virt::facts(volume); after.modified != before.modified)
    throw Error(Code::busy, image.path + " was written to while it was read: who has it open?");
  return image;
}

void check_unchanged(const base::Context& ctx, const virt::Connection& connection, const Generation& generation) {
  for (const auto& image : generation.images) {
    const std::string what = "image " + image.path + " of the master " + name_of(generation);
    const auto volume = virt::volume_of_path(connection, image.path);
    if (!volume) throw Error(Code::corrupt, what + " is gone");
    const std::string difference = what_differs(ctx, *volume, image);
    if (!difference.empty())
      throw Error(Code::corrupt, what + " is not what was sealed: " + difference +
                                     "; nothing is made of it (put the image back, or seal it anew)");
  }
}

}  // namespace muster::clone
