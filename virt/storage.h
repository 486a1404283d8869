// Storage pools and the volumes in them: found, made, filled, measured, removed, by the hypervisor itself, so that it
// is the same for one at the other end of a line. Nothing here overwrites a volume. What a volume holds is disk/'s
// matter. Calls block as long as libvirt does: making a copy or a preallocated volume takes its time. Errors:
// base::Error{not_found} for a pool or volume that is not there, {no_space}, {refused} for a volume that exists
// already, {unsupported} for what the kind of pool cannot do. Thread-safe, as libvirt's handles are.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "virt/connection.h"

struct _virStoragePool;  // libvirt's own names. NOLINT(bugprone-reserved-identifier)
struct _virStorageVol;   // NOLINT(bugprone-reserved-identifier)

namespace muster::virt {

// What a domain writes as the source of a disk.
struct DiskSource {
  enum class Kind { file, block, volume } kind = Kind::file;
  std::string path;          // of `file` and `block`
  std::string pool, volume;  // of `volume`: storage that has no path on the host
};

class Volume {
 public:
  // Takes over the caller's reference.
  static Volume adopt(_virStorageVol* handle);

  const std::string& name() const { return name_; }
  const std::string& pool() const { return pool_; }  // its name
  std::string path() const;
  DiskSource source() const;

  _virStorageVol* handle() const { return handle_.get(); }

 private:
  std::shared_ptr<_virStorageVol> handle_;
  std::string name_, pool_;
};

class Pool {
 public:
  static Pool adopt(_virStoragePool* handle);

  const std::string& name() const { return name_; }
  bool active() const;
  // Reads anew what volumes there are, and how much room: others put files there, too.
  void refresh() const;
  std::optional<Volume> find(const std::string& volume) const;
  Volume volume(const std::string& name) const;

  _virStoragePool* handle() const { return handle_.get(); }

 private:
  std::shared_ptr<_virStoragePool> handle_;
  std::string name_;
};

// Active, and read anew. Throws base::Error{not_found} naming the pools there are, {refused} for one that is not
// active.
Pool pool(const Connection& connection, const std::string& name);
// As pool(), but as libvirt knows it already: to read a pool of many volumes anew takes as long as making one.
Pool known_pool(const Connection& connection, const std::string& name);
// Whether the pool, which is active, has a volume of that name, or a file that it does not know of yet.
bool is_taken(const Connection& connection, const Pool& pool, const std::string& volume);
// The active pool whose directory `directory` is, read anew.
std::optional<Pool> pool_of_directory(const Connection& connection, const std::string& directory);
// The volume that a path is, as far as the active pools know.
std::optional<Volume> volume_of_path(const Connection& connection, const std::string& path);
std::vector<std::string> pool_names(const Connection& connection);

struct PoolFacts {
  std::string type;  // `dir`, `logical`, `rbd`, ...
  std::string path;  // where its volumes are on the host; empty for storage without paths
  std::uint64_t capacity_bytes = 0, available_bytes = 0;

  // Its volumes are files, and may be images of any format.
  bool holds_files() const { return type == "dir" || type == "fs" || type == "netfs" || type == "vstorage"; }
};
PoolFacts facts(const Pool& pool);

struct VolumeFacts {
  std::string format;        // `qcow2`, `raw`, `iso`, ...
  std::string backing_path;  // empty: none
  std::uint64_t capacity_bytes = 0, allocation_bytes = 0;
  std::uint64_t physical_bytes = 0;  // from its first to its last byte, holes included
  std::string modified;              // seconds since 1970, with nanoseconds; empty: libvirt does not tell
};
VolumeFacts facts(const Volume& volume);

enum class VolumeFormat { qcow2, raw };
const char* name_of(VolumeFormat format);

enum class Preallocation {
  none,      // blocks are taken when they are first written
  metadata,  // qcow2: its tables are whole; data is not
  falloc,    // all blocks are taken, none is written
  full,      // all blocks are written
};

struct BackingImage {
  std::string path;
  std::string format;  // never guessed by whoever reads it: a guest can write what looks like another format
};

struct VolumeSpec {
  std::string name;
  VolumeFormat format = VolumeFormat::qcow2;
  std::uint64_t capacity_bytes = 0;
  Preallocation preallocation = Preallocation::none;
  std::optional<BackingImage> backing = {};
  bool read_only = false;  // nobody may write to its file, as far as the mode of a file says that
};

// Throws base::Error{unsupported} for metadata of a raw volume, {usage} for preallocation over a backing image.
Volume create_volume(const base::Context& ctx, const Pool& pool, const VolumeSpec& spec);

// A copy of `source` in the format of `spec`, grown to its capacity, which may not be smaller than the source's.
// libvirt cannot be stopped while it copies.
Volume copy_volume(const base::Context& ctx, const Pool& pool, const VolumeSpec& spec, const Volume& source);

// To at least so many bytes.
void grow(const Volume& volume, std::uint64_t capacity_bytes);

// Writes `bytes` at its beginning.
void upload(const base::Context& ctx, const Volume& volume, std::string_view bytes);
// What it holds, at most `limit` bytes.
std::string download(const base::Context& ctx, const Volume& volume, std::uint64_t limit);

// What it holds, in order, in pieces of at most 1 MiB. Holes are left out, as far as the hypervisor tells of them.
using VolumeSink = std::function<void(std::uint64_t offset, std::string_view bytes)>;
void read_data(const base::Context& ctx, const Volume& volume, const VolumeSink& sink);
// Copies `length` bytes from `offset` on to the same place of another hypervisor's volume, which is as large and holds
// zeroes there. Holes stay holes.
void copy_data(const base::Context& ctx, const Volume& from, const Volume& to, std::uint64_t offset,
               std::uint64_t length);

void remove(const Volume& volume);

}  // namespace muster::virt
