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

using base::Code;
using base::Error;

constexpr const char *kPart = "seed", *kName = "name", *kSecret = "secret";

// Also where libvirt has not read its pool since it was written.
std::string path_in(const virt::Pool& pool, const std::string& name) {
  const auto volume = pool.find(name);
  return volume ? volume->path() : virt::facts(pool).path + "/" + name;
}

// Of the running machine as well as of its definition: either may have it still. False: its guest has locked the drive.
bool replace_medium(const virt::Connection& connection, const virt::Domain& domain, const std::string& from,
                    const std::string& to) {
  try {
    for (const auto which : {virt::Domain::Xml::current, virt::Domain::Xml::definition})
      for (const auto& disk : virt::DomainXml(domain.xml(which)).disks())
        if (disk.device == "cdrom" && virt::image_path(connection, disk) == from)
          insert_medium(connection, domain, to, disk.target);
    return true;
  } catch (const Error& e) {
    if (std::string_view(e.what()).find("tray") == std::string_view::npos) throw;
    return false;
  }
}

}  // namespace

virt::MetadataElement note_of_seed(const std::string& uuid, const virt::VolumeName& volume, const std::string& secret) {
  virt::MetadataElement part{.name = kPart,
                             .attributes = {{"uuid", uuid}, {"pool", volume.pool}, {kName, volume.name}}};
  if (!secret.empty()) part.attributes[kSecret] = secret;
  return part;
}

bool has_seed_noted(const virt::Domain& domain) { return virt::own_metadata_part(domain, kPart).has_value(); }

bool has_secret_seed(const virt::Domain& domain) {
  const auto part = virt::own_metadata_part(domain, kPart);
  return part && !part->attribute(kSecret).empty();
}

std::vector<std::string> own_seeds(const virt::Connection& connection, const virt::Domain& domain) {
  const auto part = virt::own_metadata_part(domain, kPart);
  if (!part) return {};
  std::vector<std::string> paths;
  try {
    const auto pool = virt::pool(connection, part->attribute("pool"));
    for (const char* which : {kName, kSecret})
      if (const auto volume = pool.find(part->attribute(which))) paths.push_back(volume->path());
  } catch (const Error& e) {
    if (e.code() != Code::not_found && e.code() != Code::refused) throw;
  }
  return paths;
}

void destroy_secret_seed(const base::Context& ctx, const virt::Connection& connection, const virt::Domain& domain,
                         std::chrono::milliseconds patience) {
  auto part = virt::own_metadata_part(domain, kPart);
  const std::string name = part ? part->attribute(kSecret) : "";
  if (name.empty()) return;
  const auto pool = virt::pool(connection, part->attribute("pool"));
  const std::string secret = path_in(pool, name), plain = path_in(pool, part->attribute(kName));
  if (!wait_until(ctx, base::Clock::now() + patience,
                  [&] { return replace_medium(connection, domain, secret, plain); }))
    throw Error(Code::busy, "the guest of '" + domain.name() + "' has locked the drive with its seed, which holds a " +
                                "secret: unmount it in there, then muster clone verify removes it");
  if (const auto volume = pool.find(name))
    virt::remove(*volume);
  else if (virt::is_taken(connection, pool, name))
    throw Error(Code::busy, secret +
                                " holds a secret, and libvirt does not find it at the moment: muster clone verify " +
                                "removes it later");
  part->attributes.erase(kSecret);
  virt::put_metadata_part(domain, *part);
}

}  // namespace muster::vm
