#include "vm/disk_ownership.h"

#include "base/error.h"
#include "virt/domain_xml.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;
using virt::ImageListing;

// Chains are as long as somebody made them; a loop ends, too.
constexpr int kMaxChain = 256;

const virt::ImageFile* find(const ImageListing& listing, const std::string& path) {
  const auto found = listing.images.find(path);
  return found == listing.images.end() ? nullptr : &found->second;
}

bool same_file(const ImageListing& listing, const std::string& one, const std::string& other) {
  if (one == other) return true;
  const auto *first = find(listing, one), *second = find(listing, other);
  return first != nullptr && second != nullptr && !first->identity.empty() && first->identity == second->identity;
}

bool holds(const ImageListing& listing, const std::set<std::string>& paths, const std::string& path) {
  if (paths.contains(path)) return true;
  for (const auto& other : paths)
    if (same_file(listing, other, path)) return true;
  return false;
}

// What an image is built on, nearest first.
std::vector<std::string> chain_below(const ImageListing& listing, const std::string& path) {
  std::vector<std::string> chain;
  const auto* image = find(listing, path);
  while (image != nullptr && !image->backing_path.empty() && chain.size() < kMaxChain) {
    chain.push_back(image->backing_path);
    image = find(listing, image->backing_path);
  }
  return chain;
}

void add_chains(const ImageListing& listing, std::set<std::string>& paths) {
  std::set<std::string> below;
  for (const auto& path : paths)
    for (auto& image : chain_below(listing, path)) below.insert(std::move(image));
  paths.merge(below);
}

std::string never_own(const virt::DiskElement& disk) {
  if (disk.device == "cdrom") return "a CD-ROM";
  if (disk.device == "floppy") return "a floppy disk";
  if (disk.device == "lun") return "a device of its own";
  if (disk.read_only) return "read-only";
  if (disk.shareable) return "shareable";
  return "";
}

ImageClaim claim_of(const virt::Connection& connection, const virt::DiskElement& disk) {
  const std::string path = virt::image_path(connection, disk);
  ImageClaim claim{.target = disk.target, .path = path.empty() ? disk.source : path, .kept_because = never_own(disk)};
  if (!claim.kept_because.empty() || !path.empty()) return claim;
  claim.kept_because = disk.type == "network" ? "on the network" : "in no pool that is known";
  claim.remains = true;
  return claim;
}

std::set<std::string> paths_of(const virt::Connection& connection, const virt::Domain& domain) {
  std::set<std::string> paths;
  for (const auto which : {virt::Domain::Xml::definition, virt::Domain::Xml::current})
    paths.merge(virt::named_paths(connection, virt::DomainXml(domain.xml(which))));
  return paths;
}

std::vector<OtherDomain> other_domains(const base::Context& ctx, const virt::Connection& connection,
                                       const virt::Domain& self) {
  std::vector<OtherDomain> others;
  const std::string uuid = self.uuid();
  for (const auto& domain : connection.domains()) {
    ctx.check_stop();
    try {
      if (domain.uuid() != uuid) others.push_back({domain.name(), paths_of(connection, domain)});
    } catch (const Error& e) {
      if (e.code() != Code::not_found) throw;  // gone since it was listed
    }
  }
  return others;
}

// Sources of the disks when snapshots were taken: what lies under them now.
std::set<std::string> paths_in(const virt::Connection& connection, const std::vector<virt::Moment>& snapshots) {
  std::set<std::string> paths;
  for (const auto& snapshot : snapshots) {
    const auto begin = snapshot.xml.find("<domain "), end = snapshot.xml.find("</domain>");
    if (begin == std::string::npos || end == std::string::npos || end < begin) continue;
    paths.merge(virt::named_paths(connection, virt::DomainXml(snapshot.xml.substr(begin, end + 9 - begin))));
  }
  return paths;
}

std::set<std::string> directories_of(const std::set<std::string>& own, const std::vector<OtherDomain>& others) {
  std::set<std::string> directories;
  const auto add = [&](const std::set<std::string>& paths) {
    for (const auto& path : paths) directories.insert(virt::directory_of(path));
  };
  add(own);
  for (const auto& other : others) add(other.paths);
  return directories;
}

}  // namespace

std::vector<std::string> users_of(const std::string& path, const std::set<std::string>& own,
                                  const std::vector<OtherDomain>& others, const ImageListing& listing) {
  std::vector<std::string> users;
  std::set<std::string> theirs;
  for (const auto& other : others) {
    auto paths = other.paths;
    add_chains(listing, paths);
    if (holds(listing, paths, path)) users.push_back("domain '" + other.name + "'");
    theirs.merge(paths);
  }
  for (const auto& [name, image] : listing.images) {
    if (own.contains(name) || theirs.contains(name) || same_file(listing, name, path)) continue;
    for (const auto& below : chain_below(listing, name))
      if (same_file(listing, below, path)) users.push_back("image " + name);
  }
  return users;
}

Ownership ownership(const base::Context& ctx, const virt::Connection& connection, const virt::Domain& domain,
                    const std::vector<virt::Moment>& snapshots) {
  Ownership result;
  std::set<std::string> own;
  for (const auto& disk : virt::DomainXml(domain.xml(virt::Domain::Xml::definition)).disks()) {
    if (disk.source.empty()) continue;
    result.images.push_back(claim_of(connection, disk));
    if (result.images.back().kept_because.empty()) own.insert(result.images.back().path);
  }
  if (own.empty()) return result;
  const auto others = other_domains(ctx, connection, domain);
  const auto listing = virt::list_images(connection, directories_of(own, others));
  const auto before = paths_in(connection, snapshots);
  const auto tops = result.images;
  for (const auto& top : tops)
    for (const auto& path : top.kept_because.empty() ? chain_below(listing, top.path) : std::vector<std::string>{}) {
      const bool ours = before.contains(path);
      if (own.contains(path)) continue;
      result.images.push_back(
          {.target = top.target, .path = path, .kept_because = ours ? "" : "under it, not made by its snapshots"});
      if (ours) own.insert(path);
    }
  for (auto& image : result.images)
    if (image.kept_because.empty() && image.path.starts_with("/dev/") && find(listing, image.path) == nullptr) {
      image.kept_because = "a device, in no pool";
      image.remains = true;
    }
  for (auto& image : result.images)
    if (image.kept_because.empty()) image.users = users_of(image.path, own, others, listing);
  result.unseen = listing.unseen;
  return result;
}

}  // namespace muster::vm
