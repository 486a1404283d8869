#include "clone/carrying.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "clone/master_removal.h"
#include "clone/master_store.h"
#include "virt/image_files.h"
#include "virt/storage.h"

namespace muster::clone {
namespace {

using base::Code;
using base::Error;

std::optional<Generation> over_there(const base::Context& ctx, const Carriage& carriage, const Generation& wanted) {
  for (auto& other : generations(ctx, carriage.to))
    if (other.master == wanted.master && other.number == wanted.number) return other;
  return std::nullopt;
}

void check_same(const Generation& there, const Generation& here, const std::string& uri) {
  const bool same =
      std::equal(there.images.begin(), there.images.end(), here.images.begin(), here.images.end(),
                 [](const auto& a, const auto& b) {
                   return a.content_sha256 == b.content_sha256 && a.target == b.target && a.format == b.format;
                 });
  if (!same)
    throw Error(Code::refused, "the master " + name_of(here) + " of " + uri +
                                   " is another one of the same name: seal one of them under another");
}

virt::Volume source_of(const Carriage& carriage, const MasterImage& image) {
  const auto volume = virt::volume_of_path(carriage.from, image.path);
  if (!volume) throw Error(Code::corrupt, image.path + " is gone");
  return *volume;
}

// As they will be there.
Generation planned(const Carriage& carriage, const Generation& generation) {
  Generation plan = generation;
  for (auto& image : plan.images) {
    if (!image.backing_path.empty())
      throw Error(Code::unsupported, "image " + image.path + " is built on " + image.backing_path +
                                         ", and cannot be carried alone: promote with --flatten, or seal --copy");
    const auto pool =
        virt::pool(carriage.to, carriage.pool.empty() ? source_of(carriage, image).pool() : carriage.pool);
    const auto facts = virt::facts(pool);
    if (!facts.holds_files())
      throw Error(Code::unsupported, "pool '" + pool.name() + "' of " + carriage.to.uri() + " holds no files");
    if (facts.available_bytes < image.allocation_bytes)
      throw Error(Code::no_space,
                  fmt::format("pool '{}' of {} has {} bytes left, and {} takes {}", pool.name(), carriage.to.uri(),
                              facts.available_bytes, image.path, image.allocation_bytes));
    image.path =
        fmt::format("{}/{}-g{}-{}.{}", facts.path, generation.master, generation.number, image.target, image.format);
    image.made = true;
    image.mode_before.reset();
    image.carried_bytes = 0;
    if (pool.find(virt::file_name_of(image.path)))
      throw Error(Code::refused, image.path + " is on " + carriage.to.uri() + " already, and is not overwritten");
  }
  return plan;
}

// A file of the right size, all of it a hole, to begin with.
virt::Volume target_of(const base::Context& ctx, const Carriage& carriage, const MasterImage& image) {
  const auto pool = virt::pool_of_directory(carriage.to, virt::directory_of(image.path));
  if (!pool) throw Error(Code::not_found, "no pool of " + carriage.to.uri() + " has the directory of " + image.path);
  if (auto there = pool->find(virt::file_name_of(image.path))) return *there;
  return virt::create_volume(ctx, *pool,
                             {.name = virt::file_name_of(image.path),
                              .format = virt::VolumeFormat::raw,
                              .capacity_bytes = image.physical_bytes,
                              .read_only = true});
}

void carry_image(const base::Context& ctx, const Carriage& carriage, const MasterImage& source, Generation& there,
                 MasterImage& image, const ReadProgress& progress) {
  const auto from = source_of(carriage, source);
  const auto to = target_of(ctx, carriage, image);
  while (image.carried_bytes < source.physical_bytes) {
    ctx.check_stop();
    const std::uint64_t length = std::min(kStretchBytes, source.physical_bytes - image.carried_bytes);
    virt::copy_data(ctx, from, to, image.carried_bytes, length);
    image.carried_bytes += length;
    write_claims(ctx, carriage.to, there);
    if (progress) progress(image.carried_bytes);
  }
}

void finish_image(const base::Context& ctx, const Carriage& carriage, const MasterImage& source, MasterImage& image) {
  // What it holds shows libvirt its format.
  const auto pool = virt::pool_of_directory(carriage.to, virt::directory_of(image.path));
  const auto volume = pool ? pool->find(virt::file_name_of(image.path)) : std::nullopt;
  if (!volume) throw Error(Code::not_found, image.path + " is gone from " + carriage.to.uri());
  auto now = measured(ctx, *volume, {});
  if (now.content_sha256 != source.content_sha256)
    throw Error(Code::corrupt, image.path + " did not come to " + carriage.to.uri() + " as it is here");
  now.target = source.target;
  now.format = source.format;
  now.capacity_bytes = source.capacity_bytes;
  now.made = true;
  image = std::move(now);
}

}  // namespace

Generation carry(const base::Context& ctx, const Carriage& carriage, const Generation& generation,
                 const ReadProgress& progress) {
  auto there = over_there(ctx, carriage, generation);
  if (there && there->whole()) {
    check_same(*there, generation, carriage.to.uri());
    check_unchanged(ctx, carriage.to, *there);
    return *there;
  }
  check_unchanged(ctx, carriage.from, generation);
  if (there) {
    vm::check_abandoned(*there->maker, carriage.take_over,
                        "the master " + name_of(*there) + " is brought to " + carriage.to.uri(), "goes on from there");
    check_same(*there, generation, carriage.to.uri());
    there->maker = vm::mark_of_this_process();
    write_claims(ctx, carriage.to, *there);
  } else {
    there = planned(carriage, generation);
    there->maker = vm::mark_of_this_process();
    begin_claims(ctx, carriage.to, *there);
  }
  for (std::size_t i = 0; i < generation.images.size(); ++i)
    carry_image(ctx, carriage, generation.images[i], *there, there->images[i], progress);
  try {
    for (std::size_t i = 0; i < generation.images.size(); ++i)
      finish_image(ctx, carriage, generation.images[i], there->images[i]);
  } catch (const Error& e) {
    if (e.code() == Code::corrupt) remove_images(ctx, carriage.to, *there);
    throw;
  }
  there->maker.reset();
  write_claims(ctx, carriage.to, *there);
  return *there;
}

}  // namespace muster::clone
