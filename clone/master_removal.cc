#include "clone/master_removal.h"

#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include "base/error.h"
#include "disk/image_claim.h"
#include "virt/image_files.h"

namespace muster::clone {
namespace {

using base::Code;
using base::Error;

void free_image(const base::Context& ctx, const virt::Connection& connection, const MasterImage& image) {
  if (image.mode_before && virt::is_seen_here(connection, image.path) &&
      ::chmod(image.path.c_str(), *image.mode_before) != 0)
    ctx.warn(image.path + " stays read-only: " + base::errno_text(errno));
  virt::remove_image(connection, disk::claim_file(image.path));
  virt::remove_image(connection, disk::next_claim_file(image.path));
}

}  // namespace

void check_unneeded(const std::vector<Generation>& going, const Surroundings& around) {
  std::set<std::string> images;
  for (const auto& generation : going)
    for (const auto& image : generation.images) images.insert(image.path);
  for (const auto& generation : going) {
    auto users = dependants(generation, around);
    std::erase_if(users, [&](const auto& user) { return images.contains(user.image); });
    if (!users.empty())
      throw Error(Code::refused,
                  fmt::format("the master {} is needed by {}: flatten or delete them first (muster clone "
                              "flatten)",
                              name_of(generation), told(users)));
  }
  for (const auto& generation : going)
    for (const auto& image : generation.images)
      for (const auto& [path, machine] : around.disks)
        if (image.made && path == image.path)
          throw Error(Code::refused, fmt::format("image {} of the master {} is a disk of '{}': detach it first", path,
                                                 name_of(generation), machine));
  if (!around.images.unseen.empty())
    throw Error(Code::refused, fmt::format("it cannot be told whether something is built on the master '{}': {}",
                                           going.front().master, fmt::join(around.images.unseen, "; ")));
}

std::vector<std::string> remove_images(const base::Context& ctx, const virt::Connection& connection,
                                       const Generation& generation) {
  std::vector<std::string> removed;
  for (const auto& image : generation.images) {
    if (image.made && virt::remove_image(connection, image.path) == virt::Removal::removed)
      removed.push_back(image.path);
    free_image(ctx, connection, image);
  }
  return removed;
}

void drop_claims(const base::Context& ctx, const virt::Connection& connection, const Generation& generation) {
  for (const auto& image : generation.images) free_image(ctx, connection, image);
}

}  // namespace muster::clone
