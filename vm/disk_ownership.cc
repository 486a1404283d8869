#include "vm/disk_ownership.h"

#include <algorithm>

#include "base/error.h"
#include "virt/domain_list.h"
#include "virt/domain_xml.h"
#include "vm/tombstone.h"

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

// Which of `paths` is the file; nullptr: none.
const std::string* alias_in(const ImageListing& listing, const std::set<std::string>& paths, const std::string& path) {
  if (const auto itself = paths.find(path); itself != paths.end()) return &*itself;
  for (const auto& other : paths)
    if (same_file(listing, other, path)) return &other;
  return nullptr;
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

bool is_device(const std::string& path) { return path.starts_with("/dev/"); }

// What cannot be removed as a file or a volume on the host.
void keep_what_is_no_image(const ImageListing& listing, ImageClaim& claim) {
  if (!claim.path.starts_with('/'))
    claim.kept_because = "in storage without files";
  else if (is_device(claim.path) && find(listing, claim.path) == nullptr)
    claim.kept_because = "a device, in no pool";
  claim.remains = !claim.kept_because.empty();
}

struct Other {
  virt::Domain domain;
  OtherDomain named;
  std::set<std::string> unknown;  // volumes of pools that are not there
  std::set<std::string> built;    // images of disks that may be built on others
};

Other other_of(const virt::Connection& connection, const virt::Domain& domain) {
  Other other{.domain = domain, .named = {.name = domain.name(), .paths = {}}, .unknown = {}, .built = {}};
  for (const auto which : {virt::Domain::Xml::definition, virt::Domain::Xml::current}) {
    const virt::DomainXml xml(domain.xml(which));
    auto named = virt::named_paths(connection, xml);
    other.named.paths.merge(named.paths);
    other.unknown.merge(named.unknown);
    // What does not say its format is raw, as libvirt takes it.
    for (const auto& disk : xml.disks())
      if (disk.type == "file" && !disk.format.empty() && disk.format != "raw" && disk.device == "disk")
        other.built.insert(virt::image_path(connection, disk));
  }
  return other;
}

std::vector<Other> other_domains(const base::Context& ctx, const virt::Connection& connection,
                                 const virt::Domain& self) {
  std::vector<Other> others;
  const std::string uuid = self.uuid();
  virt::for_each_domain(ctx, connection, [&](const virt::Domain& domain) {
    if (domain.uuid() != uuid) others.push_back(other_of(connection, domain));
  });
  return others;
}

// Images of the disks when snapshots were taken: what lies under them now. Not what lay under them then.
std::set<std::string> disks_in(const virt::Connection& connection, const std::vector<virt::Moment>& snapshots) {
  std::set<std::string> paths;
  for (const auto& snapshot : snapshots) {
    const auto begin = snapshot.xml.find("<domain "), end = snapshot.xml.find("</domain>");
    if (begin == std::string::npos || end == std::string::npos || end < begin) continue;
    for (const auto& disk : virt::DomainXml(snapshot.xml.substr(begin, end + 9 - begin)).disks())
      if (never_own(disk).empty()) paths.insert(virt::image_path(connection, disk));
  }
  return paths;
}

std::set<std::string> directories_of(const std::set<std::string>& own, const std::vector<Other>& others) {
  std::set<std::string> directories;
  const auto add = [&](const std::set<std::string>& paths) {
    for (const auto& path : paths)
      if (path.starts_with('/')) directories.insert(virt::directory_of(path));
  };
  add(own);
  for (const auto& other : others) add(other.named.paths);
  return directories;
}

// It is being removed at this moment, with its domain.
bool is_going(const Other& other, const std::string& path) {
  try {
    const auto journal = retirement_of(other.domain);
    return journal && std::find(journal->removed.begin(), journal->removed.end(), path) != journal->removed.end();
  } catch (const Error& e) {
    if (e.code() != Code::not_found && e.code() != Code::corrupt) throw;
    return e.code() == Code::not_found;
  }
}

// Uses that nobody can see, or see through, from here.
void add_unseen(const std::vector<Other>& others, const ImageListing& listing, bool own_device, Ownership& result) {
  const auto tell = [&](const Other& other, const std::string& what) {
    result.unseen.push_back("domain '" + other.named.name + "' has " + what);
  };
  for (const auto& other : others) {
    for (const auto& volume : other.unknown) tell(other, "the volume " + volume + ", whose pool is not active");
    for (const auto& path : other.built)
      if (find(listing, path) == nullptr && !is_going(other, path))
        tell(other, path + ", which is not there, so that nobody sees what it is built on");
    for (const auto& path : other.named.paths)
      if (own_device && is_device(path) && find(listing, path) == nullptr)
        tell(other, path + ", which may be another name of the same device");
  }
}

// Other names of devices, as far as this machine is the hypervisor.
void add_devices(const virt::Connection& connection, const std::vector<Other>& others, ImageListing& listing) {
  for (const auto& other : others)
    for (const auto& path : other.named.paths) {
      if (!is_device(path) || find(listing, path) != nullptr) continue;
      if (const auto identity = virt::identity_of(connection, path); !identity.empty())
        listing.images[path] = {.path = path, .identity = identity};
    }
}

// What the disks of a domain are built on: its own as far as they were its disks before.
void add_below(const ImageListing& listing, const std::set<std::string>& before, std::set<std::string>& own,
               std::vector<ImageClaim>& claims) {
  const auto tops = claims;
  for (const auto& top : tops) {
    if (!top.kept_because.empty()) continue;
    for (const auto& path : chain_below(listing, top.path)) {
      if (own.contains(path)) continue;
      const bool ours = before.contains(path);
      claims.push_back(
          {.target = top.target, .path = path, .kept_because = ours ? "" : "under it, not made by its snapshots"});
      if (ours) own.insert(path);
    }
  }
}

}  // namespace

std::vector<std::string> users_of(const std::string& path, const std::set<std::string>& own,
                                  const std::vector<OtherDomain>& others, const ImageListing& listing) {
  std::vector<std::string> users;
  std::set<std::string> theirs;
  for (const auto& other : others) {
    auto paths = other.paths;
    add_chains(listing, paths);
    if (const auto* alias = alias_in(listing, paths, path))
      users.push_back("domain '" + other.name + "'" + (*alias == path ? "" : " as " + *alias));
    theirs.merge(paths);
  }
  for (const auto& [name, image] : listing.images) {
    if (own.contains(name) || theirs.contains(name) || same_file(listing, name, path)) continue;
    for (const auto& below : chain_below(listing, name))
      if (same_file(listing, below, path)) users.push_back("image " + name);
  }
  return users;
}

Ownership ownership(const base::Context& ctx, const virt::Connection& connection, const Belongings& belongings) {
  Ownership result;
  std::set<std::string> own = belongings.noted;
  for (const auto& disk : virt::DomainXml(belongings.domain.xml(virt::Domain::Xml::definition)).disks()) {
    if (disk.source.empty()) continue;
    auto& claim = result.images.emplace_back(claim_of(connection, disk));
    if (belongings.noted.contains(claim.path)) claim.kept_because = "";
    if (claim.kept_because.empty()) own.insert(claim.path);
  }
  if (own.empty()) return result;
  const auto others = other_domains(ctx, connection, belongings.domain);
  auto listing = virt::list_images(connection, directories_of(own, others));
  add_devices(connection, others, listing);
  add_below(listing, disks_in(connection, belongings.snapshots), own, result.images);
  for (const auto& path : belongings.noted)
    if (find(listing, path) != nullptr &&
        std::none_of(result.images.begin(), result.images.end(), [&](const auto& image) { return image.path == path; }))
      result.images.push_back({.path = path});
  std::vector<OtherDomain> named;
  for (const auto& other : others) named.push_back(other.named);
  bool own_device = false;
  for (auto& image : result.images) {
    if (!image.kept_because.empty()) continue;
    own_device = own_device || is_device(image.path);
    image.users = users_of(image.path, own, named, listing);
    keep_what_is_no_image(listing, image);
  }
  result.unseen = listing.unseen;
  add_unseen(others, listing, own_device, result);
  return result;
}

}  // namespace muster::vm
