#include "virt/image_files.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <libvirt/libvirt.h>
#include <pugixml.hpp>
#include <sys/stat.h>

#include "base/digest.h"
#include "virt/libvirt_error.h"
#include "virt/owned.h"
#include "virt/storage.h"

namespace muster::virt {
namespace {

using base::Code;
using base::Error;

constexpr const char* kScratchPrefix = "muster-scratch-";

// Two threads of this process do not take each other's scratch pool away.
std::mutex& scratch_mutex() {
  static std::mutex mutex;
  return mutex;
}

std::string text_of(const OwnedText& text) { return text ? text.get() : ""; }

std::string target_path(virStoragePoolPtr pool) {
  const OwnedText xml(virStoragePoolGetXMLDesc(pool, 0));
  pugi::xml_document tree;
  if (!xml || !tree.load_string(xml.get())) return "";
  std::string path = tree.child("pool").child("target").child_value("path");
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::vector<OwnedPool> active_pools(const Connection& connection) {
  virStoragePoolPtr* list = nullptr;
  const int count = virConnectListAllStoragePools(connection.handle(), &list, VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE);
  if (count < 0) throw_last("list the storage pools of " + connection.uri());
  std::vector<OwnedPool> pools(list, list + count);
  std::free(list);
  return pools;
}

OwnedPool pool_of(const Connection& connection, const std::string& directory) {
  for (auto& pool : active_pools(connection))
    if (target_path(pool.get()) == directory) return std::move(pool);
  return nullptr;
}

std::string short_digest(const std::string& text) {
  const auto digest = base::sha256(text);
  return fmt::format("{:02x}", fmt::join(digest.begin(), digest.begin() + 8, ""));
}

// A directory as a pool, for as long as this lives.
class ScratchPool {
 public:
  ScratchPool(const Connection& connection, const std::string& directory) {
    const std::string name = kScratchPrefix + short_digest(directory);
    pugi::xml_document tree;
    auto root = tree.append_child("pool");
    root.append_attribute("type") = "dir";
    root.append_child("name").text().set(name.c_str());
    root.append_child("target").append_child("path").text().set(directory.c_str());
    pool_.reset(virStoragePoolCreateXML(connection.handle(), node_text(root).c_str(), 0));
    if (!pool_) throw_last("look into " + directory);
  }
  ScratchPool(const ScratchPool&) = delete;
  ScratchPool& operator=(const ScratchPool&) = delete;
  // Forgets the pool; the directory stays as it is.
  ~ScratchPool() { virStoragePoolDestroy(pool_.get()); }

  virStoragePoolPtr handle() const { return pool_.get(); }

 private:
  OwnedPool pool_;
};

std::string inode(const struct stat& seen) { return fmt::format("inode {}:{}", seen.st_dev, seen.st_ino); }

// What this machine sees at `path`, if that is the file the hypervisor told of: it may be another machine.
std::string local_identity(const std::string& path, const std::string& modified) {
  struct stat seen {};
  if (::stat(path.c_str(), &seen) != 0) return "";
  if (fmt::format("{}.{:09}", seen.st_mtim.tv_sec, seen.st_mtim.tv_nsec) != modified) return "";
  return inode(seen);
}

// Names do not tell: a link may have any. Rather two copies that were made at once are taken for one file.
std::string told_identity(const pugi::xml_node& volume) {
  const auto target = volume.child("target"), times = target.child("timestamps");
  const std::string path = target.child_value("path"), modified = times.child_value("mtime");
  if (modified.empty() || modified == "0") return "";
  if (auto local = local_identity(path, modified); !local.empty()) return local;
  return fmt::format("times {} {} {}", times.child_value("ctime"), modified, volume.child_value("physical"));
}

std::optional<ImageFile> image_of(virStorageVolPtr volume) {
  const OwnedText xml(virStorageVolGetXMLDesc(volume, 0));
  pugi::xml_document tree;
  if (!xml || !tree.load_string(xml.get())) return std::nullopt;  // gone since it was listed
  const auto root = tree.child("volume");
  return ImageFile{.path = root.child("target").child_value("path"),
                   .backing_path = root.child("backingStore").child_value("path"),
                   .identity = told_identity(root),
                   .allocation_bytes = root.child("allocation").text().as_ullong()};
}

// nullopt: they cannot be listed.
std::optional<std::vector<OwnedVolume>> volumes_of(virStoragePoolPtr pool) {
  virStorageVolPtr* list = nullptr;
  const int count = virStoragePoolListAllVolumes(pool, &list, 0);
  if (count < 0) return std::nullopt;
  std::vector<OwnedVolume> volumes(list, list + count);
  std::free(list);
  return volumes;
}

void add_images(virStoragePoolPtr pool, const std::string& what, ImageListing& listing) {
  // A pool where volumes are being made cannot be read anew: what is known of it has to do.
  if (virStoragePoolRefresh(pool, 0) != 0) listing.unseen.push_back(what + ": cannot be read anew");
  const auto volumes = volumes_of(pool);
  if (!volumes) {
    listing.unseen.push_back(what + ": cannot be listed");
    return;
  }
  for (const auto& volume : *volumes)
    if (auto image = image_of(volume.get())) listing.images[image->path] = std::move(*image);
  if (virStoragePoolIsActive(pool) != 1) listing.unseen.push_back(what + ": was taken away meanwhile");
}

void add_directory(const Connection& connection, const std::string& directory, ImageListing& listing) {
  try {
    const ScratchPool pool(connection, directory);
    add_images(pool.handle(), directory, listing);
  } catch (const Error& e) {
    if (std::string_view(e.what()).find("No such file") == std::string_view::npos)
      listing.unseen.emplace_back(e.what());
  }
}

// Nodes of devices are no images beside each other.
bool is_device(const std::string& path) { return path.starts_with("/dev/"); }

// Where images lie that others are built on, and nobody looked yet.
std::set<std::string> directories_below(const ImageListing& listing, const std::set<std::string>& seen) {
  std::set<std::string> directories;
  for (const auto& [path, image] : listing.images)
    if (image.backing_path.starts_with('/') && !is_device(image.backing_path))
      directories.insert(directory_of(image.backing_path));
  std::erase_if(directories, [&](const auto& directory) { return seen.contains(directory); });
  return directories;
}

OwnedVolume volume_at(const Connection& connection, const std::string& path) {
  OwnedVolume volume(virStorageVolLookupByPath(connection.handle(), path.c_str()));
  if (!volume && !last_is_not_found()) throw_last("look up the volume " + path);
  return volume;
}

Removal remove_volume(const Connection& connection, const std::string& path) {
  const OwnedVolume volume = volume_at(connection, path);
  if (!volume) return Removal::was_gone;
  if (virStorageVolDelete(volume.get(), 0) != 0) throw_last("remove " + path);
  return Removal::removed;
}

// What killed programs left. Not while this process uses one of its own. One that is defined is somebody's.
void remove_scratch_pools(const Connection& connection) {
  for (const auto& pool : active_pools(connection))
    if (is_scratch_pool(virStoragePoolGetName(pool.get())) && virStoragePoolIsPersistent(pool.get()) == 0)
      virStoragePoolDestroy(pool.get());
}

// What was not found in it may be there, if somebody took the pool away meanwhile.
void check_still_there(virStoragePoolPtr pool, const std::string& path) {
  if (virStoragePoolIsActive(pool) != 1)
    throw Error(Code::busy, "the storage pool of " + path + " was taken away meanwhile: try again");
}

// Calls `use` with the pool of a file's directory, read anew; not at all for a directory that is not there.
void in_pool_of(const Connection& connection, const std::string& path,
                const std::function<void(virStoragePoolPtr)>& use) {
  const std::lock_guard lock(scratch_mutex());
  remove_scratch_pools(connection);
  if (const OwnedPool pool = pool_of(connection, directory_of(path))) {
    virStoragePoolRefresh(pool.get(), 0);
    use(pool.get());
    return check_still_there(pool.get(), path);
  }
  std::optional<ScratchPool> scratch;
  try {
    scratch.emplace(connection, directory_of(path));
  } catch (const Error& e) {
    if (std::string_view(e.what()).find("No such file") != std::string_view::npos) return;
    throw;
  }
  use(scratch->handle());
  check_still_there(scratch->handle(), path);
}

std::string volume_path(const Connection& connection, const std::string& pool_name, const std::string& name) {
  const OwnedPool pool(virStoragePoolLookupByName(connection.handle(), pool_name.c_str()));
  if (!pool) return "";
  const OwnedVolume volume(virStorageVolLookupByName(pool.get(), name.c_str()));
  return volume ? text_of(OwnedText(virStorageVolGetPath(volume.get()))) : "";
}

// As libvirt's storage driver writes it: it knows one file by one path.
std::string clean(const std::string& path) {
  std::string text;
  for (const char c : path)
    if (c != '/' || !text.ends_with('/')) text += c;
  if (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

void add_volume(const Connection& connection, const pugi::xml_node& source, NamedPaths& named) {
  const std::string pool = source.attribute("pool").value(), volume = source.attribute("volume").value();
  const std::string path = volume_path(connection, pool, volume);
  if (path.empty())
    named.unknown.insert(pool + '/' + volume);
  else
    named.paths.insert(path);
}

void add_sources(const Connection& connection, const pugi::xml_node& node, NamedPaths& named) {
  for (const auto& child : node.children()) {
    if (std::string_view(child.name()) == "source") {
      for (const char* name : {"file", "dev"})
        if (const auto path = child.attribute(name)) named.paths.insert(clean(path.value()));
      if (const auto* path = child.child_value("path"); *path == '/') named.paths.insert(clean(path));
      if (child.attribute("volume")) add_volume(connection, child, named);
    }
    add_sources(connection, child, named);
  }
}

}  // namespace

bool is_scratch_pool(std::string_view name) { return name.starts_with(kScratchPrefix); }

std::string file_name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

ImageListing list_images(const Connection& connection, const std::set<std::string>& directories) {
  const std::lock_guard lock(scratch_mutex());
  remove_scratch_pools(connection);
  ImageListing listing;
  std::set<std::string> seen;
  for (const auto& pool : active_pools(connection)) {
    seen.insert(target_path(pool.get()));
    add_images(pool.get(), std::string("pool ") + virStoragePoolGetName(pool.get()), listing);
  }
  for (auto next = directories; !next.empty(); next = directories_below(listing, seen))
    for (const auto& directory : next)
      if (seen.insert(directory).second && !is_device(directory + '/')) add_directory(connection, directory, listing);
  return listing;
}

std::string image_path(const Connection& connection, const DiskElement& disk) {
  if (disk.type == "file" || disk.type == "block") return clean(disk.source);
  if (disk.type != "volume") return "";
  const auto slash = disk.source.find('/');
  if (slash == std::string::npos) return "";
  return volume_path(connection, disk.source.substr(0, slash), disk.source.substr(slash + 1));
}

NamedPaths named_paths(const Connection& connection, const DomainXml& xml) {
  NamedPaths named;
  for (const char* device : {"disk", "filesystem", "memory"})
    for (const auto& node : xml.root().child("devices").children(device)) add_sources(connection, node, named);
  for (const char* name : {"nvram", "kernel", "initrd"})
    named.paths.insert(clean(xml.root().child("os").child_value(name)));
  named.paths.erase("");
  return named;
}

std::string identity_of(const Connection& connection, const std::string& path) {
  struct stat seen {};
  if (connection.is_of_this_host()) return ::stat(path.c_str(), &seen) == 0 ? inode(seen) : "";
  const OwnedVolume volume = volume_at(connection, path);
  const auto image = volume ? image_of(volume.get()) : std::nullopt;
  return image ? image->identity : "";
}

bool is_seen_here(const Connection& connection, const std::string& path) {
  // A copy of it, with its times, may lie under the same path of another host.
  if (!connection.is_of_this_host()) return false;
  const OwnedVolume volume = volume_at(connection, path);
  const auto image = volume ? image_of(volume.get()) : std::nullopt;
  return image && image->identity.starts_with("inode ");
}

bool is_seen_here(const Connection& connection, const Pool& pool) {
  const auto volumes = volumes_of(pool.handle());
  return volumes && std::any_of(volumes->begin(), volumes->end(), [&](const auto& volume) {
           const auto image = image_of(volume.get());
           return image && is_seen_here(connection, image->path);
         });
}

Removal remove_image(const Connection& connection, const std::string& path) {
  if (path.empty() || path.front() != '/') throw Error(Code::refused, "'" + path + "' is no image file");
  if (is_device(path) && !volume_at(connection, path))
    throw Error(Code::refused, path + " is a device, and no volume of a pool");
  Removal removal = Removal::was_gone;
  in_pool_of(connection, path, [&](virStoragePoolPtr) { removal = remove_volume(connection, path); });
  return removal;
}

std::optional<std::string> read_small_file(const base::Context& ctx, const Connection& connection,
                                           const std::string& path, std::uint64_t limit) {
  std::optional<std::string> content;
  in_pool_of(connection, path, [&](virStoragePoolPtr) {
    OwnedVolume volume = volume_at(connection, path);
    if (!volume) return;
    virStorageVolInfo info{};
    if (virStorageVolGetInfo(volume.get(), &info) != 0) throw_last("ask for the size of " + path);
    if (info.capacity > limit) throw Error(Code::corrupt, path + ": larger than such files are");
    content = download(ctx, Volume::adopt(volume.release()), limit);
  });
  return content;
}

std::map<std::string, std::string> read_small_files(const base::Context& ctx, const Connection& connection,
                                                    std::string_view suffix, std::uint64_t limit) {
  std::map<std::string, std::string> files;
  for (const auto& pool : active_pools(connection)) {
    if (is_scratch_pool(virStoragePoolGetName(pool.get()))) continue;
    virStoragePoolRefresh(pool.get(), 0);
    auto volumes = volumes_of(pool.get());
    if (!volumes) {
      ctx.warn(std::string("pool '") + virStoragePoolGetName(pool.get()) + "' cannot be listed");
      continue;
    }
    for (auto& volume : *volumes) {
      if (!std::string_view(virStorageVolGetName(volume.get())).ends_with(suffix)) continue;
      const Volume file = Volume::adopt(volume.release());
      try {
        if (facts(file).capacity_bytes > limit) throw Error(Code::corrupt, "larger than such files are");
        files[file.path()] = download(ctx, file, limit);
      } catch (const Error& e) {
        if (e.code() == Code::cancelled) throw;
        if (e.code() != Code::not_found) ctx.warn(file.name() + " of pool '" + file.pool() + "': " + e.what());
      }
    }
  }
  return files;
}

namespace {

enum class Before { stays, goes };
void put_small_file(const base::Context& ctx, const Connection& connection, const std::string& path,
                    std::string_view bytes, Before before) {
  bool written = false;
  in_pool_of(connection, path, [&](virStoragePoolPtr handle) {
    if (before == Before::goes) remove_volume(connection, path);
    if (virStoragePoolRef(handle) != 0) throw_last("hold the pool of " + path);
    const Pool pool = Pool::adopt(handle);
    if (before == Before::stays && pool.find(file_name_of(path)))
      throw Error(Code::refused, path + " is there already, and is not overwritten");
    const Volume volume = create_volume(
        ctx, pool,
        {.name = file_name_of(path), .format = VolumeFormat::raw, .capacity_bytes = bytes.size(), .backing = {}});
    upload(ctx, volume, bytes);
    written = true;
  });
  if (!written) throw Error(Code::not_found, "no directory " + directory_of(path) + " on the hypervisor");
}

}  // namespace

void create_small_file(const base::Context& ctx, const Connection& connection, const std::string& path,
                       std::string_view bytes) {
  put_small_file(ctx, connection, path, bytes, Before::stays);
}

void write_small_file(const base::Context& ctx, const Connection& connection, const std::string& path,
                      std::string_view bytes) {
  put_small_file(ctx, connection, path, bytes, Before::goes);
}

bool copy_image(const Connection& connection, const std::string& path, const std::string& name) {
  bool there = false;
  in_pool_of(connection, path, [&](virStoragePoolPtr pool) {
    const OwnedVolume source = volume_at(connection, path);
    there = static_cast<bool>(source);
    if (!there) return;
    remove_volume(connection, directory_of(path) + '/' + name);
    virStorageVolInfo info{};
    if (virStorageVolGetInfo(source.get(), &info) != 0) throw_last("ask for the size of " + path);
    pugi::xml_document tree;
    auto root = tree.append_child("volume");
    root.append_child("name").text().set(name.c_str());
    root.append_child("capacity").text().set(info.capacity);
    root.append_child("target").append_child("format").append_attribute("type") = "raw";
    const OwnedVolume copy(virStorageVolCreateXMLFrom(pool, node_text(root).c_str(), source.get(), 0));
    if (!copy) throw_last("copy " + path + " to " + name);
  });
  return there;
}

}  // namespace muster::virt
