#include "clone/master_store.h"

#include <map>

#include "base/error.h"
#include "disk/image_claim.h"
#include "virt/image_files.h"

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

}  // namespace

std::vector<Generation> generations(const base::Context& ctx, const virt::Connection& connection) {
  Generations found;
  // Those that are to come count first.
  for (const auto& [path, text] : virt::read_small_files(ctx, connection, disk::kNextClaimSuffix, disk::kMaxClaimBytes))
    if (auto generation = if_whole(text)) add(found, std::move(*generation));
  for (const auto& [path, text] : virt::read_small_files(ctx, connection, disk::kClaimSuffix, disk::kMaxClaimBytes)) {
    try {
      add(found, generation_from(text));
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
    if (generation.master == name.name && (!name.number || *name.number == generation.number)) newest = &generation;
    known += (known.empty() ? "; there are: " : ", ") + name_of(generation);
  }
  if (newest != nullptr) return *newest;
  const std::string wanted = name.name + (name.number ? "@" + std::to_string(*name.number) : "");
  if (known.empty()) known = "; there are none: muster master seal VM --name NAME makes one";
  throw Error(Code::not_found, "no master '" + wanted + "' on " + uri + known);
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
