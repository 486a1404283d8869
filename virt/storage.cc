#include "virt/storage.h"

#include <array>
#include <cstdlib>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pugixml.hpp>
#include <sys/stat.h>

#include "base/error.h"
#include "virt/image_files.h"
#include "virt/libvirt_error.h"
#include "virt/owned.h"

namespace muster::virt {
namespace {

using base::Code;
using base::Error;

std::string named(const Pool& pool) { return "storage pool '" + pool.name() + "'"; }
std::string named(const Volume& volume) { return "volume '" + volume.name() + "' of pool '" + volume.pool() + "'"; }

pugi::xml_document parsed(const OwnedText& text, const std::string& what) {
  pugi::xml_document tree;
  if (!tree.load_string(text.get())) throw Error(Code::io, what + ": its XML cannot be read");
  return tree;
}

pugi::xml_document xml_of(const Pool& pool) {
  const OwnedText text(virStoragePoolGetXMLDesc(pool.handle(), 0));
  if (!text) throw_last("read the XML of " + named(pool));
  return parsed(text, named(pool));
}

pugi::xml_document xml_of(const Volume& volume) {
  const OwnedText text(virStorageVolGetXMLDesc(volume.handle(), 0));
  if (!text) throw_last("read the XML of " + named(volume));
  return parsed(text, named(volume));
}

std::vector<Pool> pools(const Connection& connection, unsigned which) {
  virStoragePoolPtr* list = nullptr;
  const int count = virConnectListAllStoragePools(connection.handle(), &list, which);
  if (count < 0) throw_last("list the storage pools of " + connection.uri());
  std::vector<Pool> all;
  for (int i = 0; i < count; ++i) all.push_back(Pool::adopt(list[i]));
  std::free(list);
  return all;
}

}  // namespace

Volume Volume::adopt(virStorageVolPtr handle) {
  Volume volume;
  volume.handle_ = std::shared_ptr<virStorageVol>(handle, [](virStorageVolPtr v) { virStorageVolFree(v); });
  volume.name_ = virStorageVolGetName(handle);
  const virStoragePoolPtr pool = virStoragePoolLookupByVolume(handle);
  if (pool == nullptr) throw_last("look up the pool of volume '" + volume.name_ + "'");
  volume.pool_ = virStoragePoolGetName(pool);
  virStoragePoolFree(pool);
  return volume;
}

std::string Volume::path() const {
  const OwnedText path(virStorageVolGetPath(handle()));
  if (!path) throw_last("ask for the path of " + named(*this));
  return path.get();
}

DiskSource Volume::source() const {
  virStorageVolInfo info{};
  if (virStorageVolGetInfo(handle(), &info) != 0) throw_last("look at " + named(*this));
  if (info.type == VIR_STORAGE_VOL_FILE)
    return {.kind = DiskSource::Kind::file, .path = path(), .pool = {}, .volume = {}};
  if (info.type == VIR_STORAGE_VOL_BLOCK)
    return {.kind = DiskSource::Kind::block, .path = path(), .pool = {}, .volume = {}};
  return {.kind = DiskSource::Kind::volume, .path = {}, .pool = pool(), .volume = name()};
}

Pool Pool::adopt(virStoragePoolPtr handle) {
  Pool pool;
  pool.handle_ = std::shared_ptr<virStoragePool>(handle, [](virStoragePoolPtr p) { virStoragePoolFree(p); });
  pool.name_ = virStoragePoolGetName(handle);
  return pool;
}

bool Pool::active() const {
  const int active = virStoragePoolIsActive(handle());
  if (active < 0) throw_last("ask whether " + named(*this) + " is active");
  return active == 1;
}

void Pool::refresh() const {
  if (virStoragePoolRefresh(handle(), 0) == 0) return;
  // Refused while another makes a volume there: what libvirt knew before will do.
  const virErrorPtr error = virGetLastError();
  if (error != nullptr && error->code == VIR_ERR_INTERNAL_ERROR && active()) return;
  throw_last("refresh " + named(*this));
}

std::optional<Volume> Pool::find(const std::string& volume) const {
  const virStorageVolPtr found = virStorageVolLookupByName(handle(), volume.c_str());
  if (found != nullptr) return Volume::adopt(found);
  if (last_is_not_found()) return std::nullopt;
  throw_last("look up volume '" + volume + "' in " + named(*this));
}

Volume Pool::volume(const std::string& name) const {
  auto found = find(name);
  if (!found) throw Error(Code::not_found, "no volume '" + name + "' in " + named(*this));
  return *found;
}

std::vector<std::string> pool_names(const Connection& connection) {
  std::vector<std::string> names;
  for (const auto& pool : pools(connection, 0))
    if (!is_scratch_pool(pool.name())) names.push_back(pool.name());
  return names;
}

Pool known_pool(const Connection& connection, const std::string& name) {
  const virStoragePoolPtr found = virStoragePoolLookupByName(connection.handle(), name.c_str());
  if (found == nullptr) {
    if (!last_is_not_found()) throw_last("look up storage pool '" + name + "'");
    std::string known;
    for (const auto& other : pool_names(connection)) known += (known.empty() ? "; there are: " : ", ") + other;
    if (known.empty())
      known = "; there is none: define one (virsh -c " + connection.uri() + " pool-define-as " + name +
              " dir --target DIRECTORY, then pool-start " + name + ")";
    throw Error(Code::not_found, "no storage pool '" + name + "' on " + connection.uri() + known);
  }
  Pool pool = Pool::adopt(found);
  if (!pool.active())
    throw Error(Code::refused, named(pool) + " is not active: virsh -c " + connection.uri() + " pool-start " + name);
  return pool;
}

Pool pool(const Connection& connection, const std::string& name) {
  Pool pool = known_pool(connection, name);
  pool.refresh();
  return pool;
}

bool is_taken(const Connection& connection, const Pool& pool, const std::string& volume) {
  if (!connection.is_of_this_host()) pool.refresh();
  if (pool.find(volume)) return true;
  const std::string directory = facts(pool).path;
  struct stat seen {};
  return connection.is_of_this_host() && !directory.empty() && ::lstat((directory + "/" + volume).c_str(), &seen) == 0;
}

std::optional<Pool> pool_of_directory(const Connection& connection, const std::string& directory) {
  for (const auto& pool : pools(connection, VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)) {
    if (is_scratch_pool(pool.name()) || facts(pool).path != directory) continue;
    pool.refresh();
    return pool;
  }
  return std::nullopt;
}

std::optional<Volume> volume_of_path(const Connection& connection, const std::string& path) {
  const virStorageVolPtr found = virStorageVolLookupByPath(connection.handle(), path.c_str());
  if (found != nullptr) return Volume::adopt(found);
  if (last_is_not_found() || last_is_unsupported()) return std::nullopt;
  throw_last("look up the volume of " + path);
}

PoolFacts facts(const Pool& pool) {
  const auto tree = xml_of(pool);
  const auto root = tree.child("pool");
  return {.type = root.attribute("type").value(),
          .path = root.child("target").child_value("path"),
          .capacity_bytes = root.child("capacity").text().as_ullong(),
          .available_bytes = root.child("available").text().as_ullong()};
}

VolumeFacts facts(const Volume& volume) {
  const auto tree = xml_of(volume);
  const auto root = tree.child("volume");
  return {.format = root.child("target").child("format").attribute("type").value(),
          .backing_path = root.child("backingStore").child_value("path"),
          .capacity_bytes = root.child("capacity").text().as_ullong(),
          .allocation_bytes = root.child("allocation").text().as_ullong(),
          .physical_bytes = root.child("physical").text().as_ullong(),
          .modified = root.child("target").child("timestamps").child_value("mtime")};
}

const char* name_of(VolumeFormat format) { return format == VolumeFormat::qcow2 ? "qcow2" : "raw"; }

void remove(const Volume& volume) {
  if (virStorageVolDelete(volume.handle(), 0) != 0) throw_last("delete " + named(volume));
}

}  // namespace muster::virt
