// Making volumes and writing into them: the half of storage.h that moves bytes.
#include <algorithm>
#include <memory>
#include <sstream>

#include <libvirt/libvirt.h>
#include <pugixml.hpp>

#include "base/error.h"
#include "virt/libvirt_error.h"
#include "virt/storage.h"

namespace muster::virt {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kPieceBytes = 256U << 10;
// What is read and written back at once where every block is to be written.
constexpr std::uint64_t kStretchBytes = 64U << 20;

std::string named(const Volume& volume) { return "volume '" + volume.name() + "' of pool '" + volume.pool() + "'"; }

// A stream that was not finished is aborted.
class Stream {
 public:
  explicit Stream(const Volume& volume)
      : handle_(virStreamNew(virStorageVolGetConnect(volume.handle()), 0), [](virStreamPtr s) {
          if (s != nullptr) virStreamFree(s);
        }) {
    if (!handle_) throw_last("open a stream for " + named(volume));
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() {
    if (open_) virStreamAbort(handle_.get());
  }

  virStreamPtr handle() const { return handle_.get(); }
  void opened() { open_ = true; }
  void finish(const std::string& action) {
    open_ = false;
    if (virStreamFinish(handle_.get()) != 0) throw_last(action);
  }

 private:
  std::shared_ptr<virStream> handle_;
  bool open_ = false;
};

void write_at(const base::Context& ctx, const Volume& volume, std::uint64_t offset, std::string_view bytes) {
  const std::string action = "write " + named(volume);
  Stream stream(volume);
  if (virStorageVolUpload(volume.handle(), stream.handle(), offset, bytes.size(), 0) != 0) throw_last(action);
  stream.opened();
  while (!bytes.empty()) {
    ctx.check_stop();
    const int sent = virStreamSend(stream.handle(), bytes.data(), std::min(bytes.size(), kPieceBytes));
    if (sent < 0) throw_last(action);
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  stream.finish(action);
}

std::string read_at(const base::Context& ctx, const Volume& volume, std::uint64_t offset, std::uint64_t count) {
  const std::string action = "read " + named(volume);
  Stream stream(volume);
  if (virStorageVolDownload(volume.handle(), stream.handle(), offset, count, 0) != 0) throw_last(action);
  stream.opened();
  std::string bytes(count, '\0');
  std::size_t held = 0;
  while (held < count) {
    ctx.check_stop();
    const int got = virStreamRecv(stream.handle(), bytes.data() + held, std::min(count - held, kPieceBytes));
    if (got < 0) throw_last(action);
    if (got == 0) break;
    held += static_cast<std::size_t>(got);
  }
  stream.finish(action);
  bytes.resize(held);
  return bytes;
}

// libvirt offers no preallocation that writes. Blocks that are only taken become written ones by being written: with
// what stands there, since an image's tables lie among them.
void write_every_block(const base::Context& ctx, const Volume& volume) {
  for (std::uint64_t offset = 0;; offset += kStretchBytes) {
    const std::string bytes = read_at(ctx, volume, offset, kStretchBytes);
    if (!bytes.empty()) write_at(ctx, volume, offset, bytes);
    if (bytes.size() < kStretchBytes) return;
  }
}

void check(const VolumeSpec& spec) {
  if (spec.format == VolumeFormat::raw && spec.preallocation == Preallocation::metadata)
    throw Error(Code::unsupported,
                "volume '" + spec.name + "': a raw image has no metadata to preallocate: write falloc or full");
  if (spec.backing && spec.preallocation != Preallocation::none)
    throw Error(Code::usage, "volume '" + spec.name + "': what has a backing image cannot be preallocated");
  if (spec.backing && spec.format == VolumeFormat::raw)
    throw Error(Code::usage, "volume '" + spec.name + "': a raw image cannot have a backing image: write format=qcow2");
}

bool takes_all_blocks(const VolumeSpec& spec) {
  return spec.preallocation == Preallocation::falloc || spec.preallocation == Preallocation::full;
}

void add(pugi::xml_node node, const char* name, const std::string& text) {
  node.append_child(name).text().set(text.c_str());
}

void add_bytes(pugi::xml_node node, const char* name, std::uint64_t bytes) {
  auto child = node.append_child(name);
  child.append_attribute("unit") = "bytes";
  child.text().set(static_cast<unsigned long long>(bytes));
}

// An allocation of nothing has to be said: libvirt takes all of the capacity otherwise.
std::string xml_of(const VolumeSpec& spec) {
  pugi::xml_document tree;
  auto root = tree.append_child("volume");
  add(root, "name", spec.name);
  add_bytes(root, "capacity", spec.capacity_bytes);
  add_bytes(root, "allocation", takes_all_blocks(spec) ? spec.capacity_bytes : 0);
  auto target = root.append_child("target");
  target.append_child("format").append_attribute("type") = name_of(spec.format);
  if (spec.read_only) add(target.append_child("permissions"), "mode", "0444");
  // Version 3: libvirt's own choice, 2, keeps no bitmaps, and so no record of changes for backups.
  if (spec.format == VolumeFormat::qcow2) add(target, "compat", "1.1");
  if (spec.backing) {
    auto backing = root.append_child("backingStore");
    add(backing, "path", spec.backing->path);
    backing.append_child("format").append_attribute("type") = spec.backing->format.c_str();
  }
  std::ostringstream text;
  tree.save(text, "", pugi::format_raw | pugi::format_no_declaration);
  return text.str();
}

// With the flag libvirt preallocates a qcow2 image's metadata, and its data where the allocation is all of it.
unsigned flags_of(const VolumeSpec& spec) {
  const bool wanted = spec.format == VolumeFormat::qcow2 && spec.preallocation != Preallocation::none;
  return wanted ? VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA : 0;
}

// Thrown away again should the rest of making it go wrong.
class Unfinished {
 public:
  explicit Unfinished(virStorageVolPtr made) : volume_(Volume::adopt(made)) {}
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;
  ~Unfinished() {
    if (!kept_) virStorageVolDelete(volume_.handle(), 0);
  }
  const Volume& volume() const { return volume_; }
  Volume keep() {
    kept_ = true;
    return volume_;
  }

 private:
  Volume volume_;
  bool kept_ = false;
};

std::string making(const VolumeSpec& spec, const Pool& pool) {
  return "make volume '" + spec.name + "' in pool '" + pool.name() + "'";
}

using HoleSink = std::function<void(std::int64_t bytes)>;

// What comes next in a stream: data, a hole, or the end.
enum class Next { data, hole, end };
Next receive(virStreamPtr stream, std::string& piece, std::int64_t& hole_bytes, const std::string& action) {
  piece.resize(kPieceBytes);
  const int got = virStreamRecvFlags(stream, piece.data(), piece.size(), VIR_STREAM_RECV_STOP_AT_HOLE);
  // libvirt's number for a hole.
  if (got == -3) {
    long long length = 0;
    if (virStreamRecvHole(stream, &length, 0) != 0) throw_last(action);
    hole_bytes = length;
    return Next::hole;
  }
  if (got < 0) throw_last(action);
  piece.resize(static_cast<std::size_t>(got));
  return got == 0 ? Next::end : Next::data;
}

}  // namespace

Volume create_volume(const base::Context& ctx, const Pool& pool, const VolumeSpec& spec) {
  check(spec);
  ctx.check_stop();
  const std::string xml = xml_of(spec);
  const virStorageVolPtr made = virStorageVolCreateXML(pool.handle(), xml.c_str(), flags_of(spec));
  if (made == nullptr) throw_last(making(spec, pool));
  Unfinished unfinished(made);
  if (spec.preallocation == Preallocation::full) write_every_block(ctx, unfinished.volume());
  return unfinished.keep();
}

Volume copy_volume(const base::Context& ctx, const Pool& pool, const VolumeSpec& spec, const Volume& source) {
  check(spec);
  ctx.check_stop();
  if (spec.preallocation != Preallocation::none)
    throw Error(Code::usage, "volume '" + spec.name + "': a copy of an image cannot be preallocated");
  const std::string xml = xml_of(spec);
  const virStorageVolPtr made = virStorageVolCreateXMLFrom(pool.handle(), xml.c_str(), source.handle(), 0);
  if (made == nullptr) throw_last(making(spec, pool) + " as a copy of " + named(source));
  Unfinished unfinished(made);
  // The copy of an image is as large as the image, whatever was asked for.
  grow(unfinished.volume(), spec.capacity_bytes);
  return unfinished.keep();
}

void grow(const Volume& volume, std::uint64_t capacity_bytes) {
  if (facts(volume).capacity_bytes < capacity_bytes && virStorageVolResize(volume.handle(), capacity_bytes, 0) != 0)
    throw_last("grow " + named(volume));
}

void upload(const base::Context& ctx, const Volume& volume, std::string_view bytes) { write_at(ctx, volume, 0, bytes); }

namespace {

void read_range(const base::Context& ctx, const Volume& volume, std::uint64_t offset, std::uint64_t length,
                const VolumeSink& data, const HoleSink& hole) {
  const std::string action = "read " + named(volume);
  Stream stream(volume);
  if (virStorageVolDownload(volume.handle(), stream.handle(), offset, length, VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM) !=
      0)
    throw_last(action);
  stream.opened();
  std::string piece;
  for (std::int64_t hole_bytes = 0;;) {
    ctx.check_stop();
    const Next next = receive(stream.handle(), piece, hole_bytes, action);
    if (next == Next::end) break;
    if (next == Next::data) data(offset, piece);
    if (next == Next::hole && hole) hole(hole_bytes);
    offset += next == Next::data ? piece.size() : static_cast<std::uint64_t>(hole_bytes);
  }
  stream.finish(action);
}

void send(virStreamPtr stream, std::string_view bytes, const std::string& action) {
  while (!bytes.empty()) {
    const int sent = virStreamSend(stream, bytes.data(), bytes.size());
    if (sent < 0) throw_last(action);
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

}  // namespace

void read_data(const base::Context& ctx, const Volume& volume, const VolumeSink& sink) {
  read_range(ctx, volume, 0, 0, sink, {});
}

void copy_data(const base::Context& ctx, const Volume& from, const Volume& to, std::uint64_t offset,
               std::uint64_t length) {
  const std::string action = "write " + named(to);
  Stream stream(to);
  if (virStorageVolUpload(to.handle(), stream.handle(), offset, length, VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM) != 0)
    throw_last(action);
  stream.opened();
  read_range(
      ctx, from, offset, length, [&](std::uint64_t, std::string_view bytes) { send(stream.handle(), bytes, action); },
      [&](std::int64_t bytes) {
        if (virStreamSendHole(stream.handle(), bytes, 0) != 0) throw_last(action);
      });
  stream.finish(action);
}

std::string download(const base::Context& ctx, const Volume& volume, std::uint64_t limit) {
  return read_at(ctx, volume, 0, limit);
}

}  // namespace muster::virt
