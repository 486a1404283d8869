#include "vm/own_seed.h"

#include "base/error.h"
#include "virt/storage.h"

namespace muster::vm {
namespace {

constexpr const char* kPart = "seed";

}  // namespace

virt::MetadataElement note_of_seed(const std::string& uuid, const virt::VolumeName& volume) {
  return {.name = kPart, .attributes = {{"uuid", uuid}, {"pool", volume.pool}, {"name", volume.name}}};
}

std::optional<std::string> own_seed(const virt::Connection& connection, const virt::Domain& domain) {
  const auto part = virt::metadata_part(domain, kPart);
  // A clone has what was noted of its original.
  if (!part || part->attribute("uuid") != domain.uuid()) return std::nullopt;
  try {
    const auto volume = virt::pool(connection, part->attribute("pool")).find(part->attribute("name"));
    return volume ? std::optional(volume->path()) : std::nullopt;
  } catch (const base::Error& e) {
    if (e.code() != base::Code::not_found && e.code() != base::Code::refused) throw;
    return std::nullopt;
  }
}

}  // namespace muster::vm
