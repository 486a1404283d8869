#include "vm/images.h"

#include <filesystem>
#include <set>

#include "base/error.h"
#include "virt/domain_xml.h"
#include "virt/image_files.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;

virt::Volume image_by_path(const virt::Connection& connection, const std::string& text) {
  const std::filesystem::path path = std::filesystem::path(text).lexically_normal();
  const auto pool = virt::pool_of_directory(connection, path.parent_path());
  if (!pool)
    throw Error(Code::not_found, "image " + text + " is in no active storage pool of " + connection.uri() +
                                     ": define one for its directory (virsh pool-define-as NAME dir --target " +
                                     path.parent_path().string() + ", pool-start NAME), or copy it into one");
  return pool->volume(path.filename());
}

// What a domain may write to, running or when it is started next.
std::set<std::string> written_by(const virt::Connection& connection, const virt::Domain& domain) {
  std::set<std::string> paths;
  for (const auto which : {virt::Domain::Xml::current, virt::Domain::Xml::definition})
    for (const auto& disk : virt::DomainXml(domain.xml(which)).disks())
      if (!disk.read_only && disk.device == "disk") paths.insert(virt::image_path(connection, disk));
  paths.erase("");
  return paths;
}

}  // namespace

virt::Volume find_image(const virt::Connection& connection, const std::string& text, const std::string& pool) {
  if (text.starts_with('/')) return image_by_path(connection, text);
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) return virt::pool(connection, pool).volume(text);
  return virt::pool(connection, text.substr(0, slash)).volume(text.substr(slash + 1));
}

void check_image_is_still(const virt::Connection& connection, const virt::Volume& image, ImageUse use) {
  const char* why = use == ImageUse::copied
                        ? ", which is running: stop it first"
                        : ", which may change it: copy it (from=), or make a copy that no machine has";
  const std::string path = image.path();
  const std::string identity = virt::identity_of(connection, path);
  for (const auto& domain : connection.domains()) {
    if (use == ImageUse::copied && !domain.active()) continue;
    for (const auto& written : written_by(connection, domain))
      if (written == path || (!identity.empty() && virt::identity_of(connection, written) == identity))
        throw Error(Code::refused, "image " + path + " is a disk of '" + domain.name() + "'" + why);
  }
}

}  // namespace muster::vm
