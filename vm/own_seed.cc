#include "vm/own_seed.h"

#include <string_view>

#include "base/error.h"
#include "virt/domain_xml.h"
#include "virt/image_files.h"
#include "virt/storage.h"
#include "vm/devices.h"
#include "vm/polling.h"

namespace muster::vm {
namespace {

constexpr const char *kPart = "seed", *kSecrets = "secrets";

std::optional<virt::Volume> volume_of(const virt::Connection& connection, const virt::MetadataElement& part) {
  try {
    return virt::pool(connection, part.attribute("pool")).find(part.attribute("name"));
  } catch (const base::Error& e) {
    if (e.code() != base::Code::not_found && e.code() != base::Code::refused) throw;
    return std::nullopt;
  }
}

// Of the running machine as well as of its definition: either may have it still. False: its guest has locked the drive.
bool take_out(const virt::Connection& connection, const virt::Domain& domain, const std::string& path) {
  try {
    for (const auto which : {virt::Domain::Xml::current, virt::Domain::Xml::definition})
      for (const auto& disk : virt::DomainXml(domain.xml(which)).disks())
        if (disk.device == "cdrom" && virt::image_path(connection, disk) == path) eject_medium(domain, disk.target);
    return true;
  } catch (const base::Error& e) {
    if (std::string_view(e.what()).find("tray") == std::string_view::npos) throw;
    return false;
  }
}

}  // namespace

virt::MetadataElement note_of_seed(const std::string& uuid, const virt::VolumeName& volume, SeedContent content) {
  virt::MetadataElement part{.name = kPart,
                             .attributes = {{"uuid", uuid}, {"pool", volume.pool}, {"name", volume.name}}};
  if (content == SeedContent::secrets) part.attributes["holds"] = kSecrets;
  return part;
}

bool has_seed_noted(const virt::Domain& domain) { return virt::own_metadata_part(domain, kPart).has_value(); }

bool has_secret_seed(const virt::Domain& domain) {
  const auto part = virt::own_metadata_part(domain, kPart);
  return part && part->attribute("holds") == kSecrets;
}

std::optional<std::string> own_seed(const virt::Connection& connection, const virt::Domain& domain) {
  const auto part = virt::own_metadata_part(domain, kPart);
  const auto volume = part ? volume_of(connection, *part) : std::nullopt;
  return volume ? std::optional(volume->path()) : std::nullopt;
}

void destroy_own_seed(const base::Context& ctx, const virt::Connection& connection, const virt::Domain& domain,
                      std::chrono::milliseconds patience) {
  auto part = virt::own_metadata_part(domain, kPart);
  if (!part) return;
  if (const auto volume = volume_of(connection, *part)) {
    const auto taken = [&] { return take_out(connection, domain, volume->path()); };
    if (!wait_until(ctx, base::Clock::now() + patience, taken))
      throw base::Error(base::Code::busy,
                        "the guest of '" + domain.name() +
                            "' has locked the drive with its seed, which "
                            "holds a secret: unmount it in there, then muster clone verify removes it");
    virt::remove(*volume);
  }
  part->attributes.erase("holds");
  virt::put_metadata_part(domain, *part);
}

}  // namespace muster::vm
