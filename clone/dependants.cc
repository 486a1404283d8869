#include "clone/dependants.h"

#include <algorithm>
#include <set>

#include "virt/domain_list.h"
#include "virt/domain_xml.h"

namespace muster::clone {
namespace {

constexpr std::size_t kMaxChain = 256;
constexpr std::size_t kTold = 10;

bool is_built_on(const virt::ImageListing& listing, const std::string& path, const std::set<std::string>& bases) {
  std::string below = path;
  for (std::size_t depth = 0; depth < kMaxChain; ++depth) {
    const auto image = listing.images.find(below);
    if (image == listing.images.end() || image->second.backing_path.empty()) return false;
    below = image->second.backing_path;
    if (bases.contains(below)) return true;
  }
  return false;
}

std::string machine_of(const Surroundings& around, const std::string& image) {
  for (const auto& [path, domain] : around.disks)
    if (path == image) return domain;
  return "";
}

// Also what a running machine was given, and its definition does not say.
void add_disks(const virt::Connection& connection, const virt::Domain& domain, Surroundings& around,
               std::set<std::string>& directories) {
  std::set<std::string> paths;
  for (const auto which : {virt::Domain::Xml::definition, virt::Domain::Xml::current})
    for (const auto& disk : virt::DomainXml(domain.xml(which)).disks())
      if (const auto path = virt::image_path(connection, disk); path.starts_with('/') && disk.device == "disk")
        paths.insert(path);
  for (const auto& path : paths) {
    around.disks.emplace_back(path, domain.name());
    directories.insert(virt::directory_of(path));
  }
}

}  // namespace

Surroundings look_around(const base::Context& ctx, const virt::Connection& connection) {
  Surroundings around;
  std::set<std::string> directories;
  virt::for_each_domain(ctx, connection,
                        [&](const virt::Domain& domain) { add_disks(connection, domain, around, directories); });
  around.images = virt::list_images(connection, directories);
  return around;
}

std::vector<Dependant> dependants(const Generation& generation, const Surroundings& around) {
  std::set<std::string> bases;
  for (const auto& image : generation.images) bases.insert(image.path);
  std::vector<Dependant> found;
  for (const auto& [path, image] : around.images.images)
    if (!bases.contains(path) && is_built_on(around.images, path, bases))
      found.push_back({.image = path, .machine = machine_of(around, path)});
  return found;
}

std::string told(const std::vector<Dependant>& dependants) {
  std::string text;
  for (std::size_t i = 0; i < std::min(dependants.size(), kTold); ++i) {
    const auto& one = dependants[i];
    text += text.empty() ? "" : ", ";
    text += one.machine.empty() ? "image " + one.image : "domain '" + one.machine + "' (" + one.image + ")";
  }
  if (dependants.size() > kTold) text += " and " + std::to_string(dependants.size() - kTold) + " more";
  return text;
}

}  // namespace muster::clone
