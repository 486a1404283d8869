#include "clone/master_store.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "disk/image_claim.h"
#include "virt/image_files.h"
#include "virt/storage.h"

namespace muster::clone {
namespace {

using base::Code;
using base::Error;

using Generations = std::map<std::pair<std::string, unsigned>, Generation>;

void add(Generations& all, Generation generation) {
  std::pair key{generation.master, generation.number};
  all.emplace(std::move(key), std::move(generation));
}

std::optional<Generation> if_whole(const std::optional<std::string>& text) {
  if (!text || !disk::is_whole_claim(*text)) return std::nullopt;
  return generation_from(*text);
}

// One that was copied elsewhere with its pool says nothing of where it lies now.
bool is_claim_of(const Generation& generation, const std::string& path) {
  return std::any_of(generation.images.begin(), generation.images.end(), [&](const auto& image) {
    return path == disk::claim_file(image.path) || path == disk::next_claim_file(image.path);
  });
}

}  // namespace

std::vector<Generation> generations(const base::Context& ctx, const virt::Connection& connection) {
  Generations found;
  // Those that are to come count first.
  for (const auto& [path, text] : virt::read_small_files(ctx, connection, disk::kNextClaimSuffix, disk::kMaxClaimBytes))
    if (auto generation = if_whole(text); generation && is_claim_of(*generation, path))
      add(found, std::move(*generation));
  for (const auto& [path, text] : virt::read_small_files(ctx, connection, disk::kClaimSuffix, disk::kMaxClaimBytes)) {
    try {
      auto generation = generation_from(text);
      if (is_claim_of(generation, path))
        add(found, std::move(generation));
      else
        ctx.warn(path + " is the claim of an image elsewhere: it is passed over");
    } catch (const Error& e) {
      ctx.warn(path + " " + e.what() + ": its image is not used");
    }
  }
  std::vector<Generation> all;
  for (auto& [key, generation] : found) all.push_back(std::move(generation));
  return all;
}

Generation find_generation(const std::vector<Generation>& all, const MasterName& name, const std::string& uri) {
  const Generation* newest = nullptr;
  std::string known;
  for (const auto& generation : all) {
    const bool meant = generation.master == name.name && (!name.number || *name.number == generation.number);
    if (meant && (newest == nullptr || generation.whole())) newest = &generation;
    known += (known.empty() ? "; there are: " : ", ") + name_of(generation);
  }
  if (newest != nullptr) return *newest;
  const std::string wanted = name.name + (name.number ? "@" + std::to_string(*name.number) : "");
  if (known.empty()) known = "; there are none: muster master seal VM --name NAME makes one";
  throw Error(Code::not_found, "no master '" + wanted + "' on " + uri + known);
}

void begin_claims(const base::Context& ctx, const virt::Connection& connection, const Generation& generation) {
  const std::string text = to_text(generation);
  std::vector<std::string> written;
  try {
    for (const auto& image : generation.images) {
      const std::string file = disk::claim_file(image.path);
      // What was cut off while it was written claims nothing, as long as there is no image.
      const auto there = virt::read_small_file(ctx, connection, file, disk::kMaxClaimBytes);
      if (there && !disk::is_whole_claim(*there) && !virt::volume_of_path(connection, image.path))
        virt::remove_image(connection, file);
      virt::create_small_file(ctx, connection, file, text);
      written.push_back(file);
    }
  } catch (const Error&) {
    for (const auto& file : written) virt::remove_image(connection, file);
    throw;
  }
}

void write_claims(const base::Context& ctx, const virt::Connection& connection, const Generation& generation) {
  const std::string text = to_text(generation);
  for (const auto& image : generation.images) {
    virt::write_small_file(ctx, connection, disk::next_claim_file(image.path), text);
    virt::write_small_file(ctx, connection, disk::claim_file(image.path), text);
    virt::remove_image(connection, disk::next_claim_file(image.path));
  }
}

std::optional<Generation> claim_of_image(const base::Context& ctx, const virt::Connection& connection,
                                         const std::string& image) {
  if (auto next = if_whole(virt::read_small_file(ctx, connection, disk::next_claim_file(image), disk::kMaxClaimBytes)))
    return next;
  const auto text = virt::read_small_file(ctx, connection, disk::claim_file(image), disk::kMaxClaimBytes);
  if (!text) return std::nullopt;
  try {
    return generation_from(*text);
  } catch (const Error& e) {
    throw Error(e.code(), disk::claim_file(image) + " " + e.what());
  }
}

}  // namespace muster::clone
