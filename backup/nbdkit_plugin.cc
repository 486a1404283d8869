// nbdkit-muster-plugin.so: a disk of a restore point as an NBD export that is only read. nbdkit speaks the protocol,
// with its own filters for all else (cow for an overlay); this is what it calls (nbdkit-plugin(3), API version 2).
// Holds a reader's lease as long as it serves. Callbacks of requests come from many threads at once, all others from
// one.
//   nbdkit nbdkit-muster-plugin.so repository=DIR point=ID [disk=NAME]
//     [key-file=PATH | passphrase-fd=N | credential-fd=N] [ready=PATH] [remove=PATH]...
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "backup/directory_storage.h"
#include "backup/index.h"
#include "backup/lease.h"
#include "backup/point_disk.h"
#include "backup/repository.h"
#include "backup/restore_point.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/quantity.h"
#include "base/unique_fd.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

namespace muster::backup {
namespace {

using base::Code;
using base::Context;
using base::Error;

constexpr std::size_t kMaxKeyFileBytes = 64U << 10;
// Who starts it writes a secret at once.
constexpr std::chrono::seconds kSecretPatience{30};

class NbdkitEvents : public base::EventSink {
 public:
  void message(base::Severity severity, const std::string& text) override {
    if (severity == base::Severity::note) return nbdkit_debug("%s", text.c_str());
    std::fprintf(stderr, "nbdkit: muster: warning: %s\n", text.c_str());
  }
};

Context context() {
  static NbdkitEvents events;
  return {.stop = {}, .events = &events};
}

// What was said on the command line; secrets only by where they are.
struct Parameters {
  std::string repository, point;
  std::optional<std::string> disk, key_file;
  std::optional<std::string> passphrase;
  std::optional<Credential> credential;
  std::string ready;
  std::vector<std::string> remove;  // at the end: what its starter made for it, and may be killed before removing
};

// Of a parameter that says where a secret can be read: kept from being read by those that come later.
std::string secret_at(std::string_view key, std::string_view value) {
  base::UniqueFd fd(static_cast<int>(base::parse_integer(value, 0, INT32_MAX, key)));
  return base::read_to_end(fd.get(), kSecretPatience);
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

const std::map<std::string_view, std::function<void(Parameters&, const std::string&)>>& parameter_table() {
  static const std::map<std::string_view, std::function<void(Parameters&, const std::string&)>> table{
      {"repository", [](Parameters& p, const std::string& value) { p.repository = std::filesystem::absolute(value); }},
      {"point", [](Parameters& p, const std::string& value) { p.point = value; }},
      {"disk", [](Parameters& p, const std::string& value) { p.disk = value; }},
      {"key-file", [](Parameters& p, const std::string& value) { p.key_file = value; }},
      {"passphrase-fd",
       [](Parameters& p, const std::string& value) { p.passphrase = first_line(secret_at("passphrase-fd", value)); }},
      {"credential-fd",
       [](Parameters& p, const std::string& value) {
         p.credential = decode_credential(base::as_bytes(secret_at("credential-fd", value)));
       }},
      {"remove", [](Parameters& p, const std::string& value) { p.remove.push_back(std::filesystem::absolute(value)); }},
  };
  return table;
}

Repository open_as_told(const Context& ctx, const Parameters& parameters) {
  auto storage = std::make_shared<DirectoryStorage>(parameters.repository);
  if (parameters.credential) return {storage, read_config(ctx, *storage), *parameters.credential};
  Unlocking unlocking;
  unlocking.passphrase = parameters.passphrase;
  if (const auto& path = parameters.key_file)
    unlocking.key_file = parse_key_file(base::read_file(*path, kMaxKeyFileBytes), *path);
  return open_repository(ctx, storage, unlocking);
}

RestorePoint confirmed_point(const Context& ctx, const Repository& repository, const std::string& id) {
  ListedPoint listed = get_point(ctx, repository, parse_object_id(id, "point"));
  if (listed.state == PointState::confirmed && listed.trusted) return std::move(listed.point);
  throw Error(Code::refused, "restore point " + id + ": is not confirmed, or not by whom it should be");
}

const DiskPoint& disk_of(const RestorePoint& point, const std::optional<std::string>& name) {
  std::string names;
  for (const auto& disk : point.disks) {
    if (name ? disk.disk == *name : point.disks.size() == 1) return disk;
    names += (names.empty() ? "" : ", ") + disk.disk;
  }
  throw Error(Code::usage, "restore point " + hex(point.id) + ": write disk=NAME of one of its disks: " + names);
}

// The disk that is served. Made in two steps: nbdkit wants mistakes told before it forks, and threads made after.
class Export {
 public:
  explicit Export(const Parameters& parameters)
      : repository_(open_as_told(context(), parameters)),
        point_(confirmed_point(context(), repository_, parameters.point)),
        source_(disk_of(point_, parameters.disk)) {}

  void start() {
    take_lease();
    if (!is_kept(context(), repository_, point_.id))
      throw Error(Code::not_found, "restore point " + hex(point_.id) + ": was let go just now");
    index_ = Index::load(context(), repository_);
    disk_ = std::make_unique<PointDisk>(
        repository_, *index_, source_.map,
        PointDiskOptions{.name = "disk " + source_.disk + " of restore point " + hex(point_.id)});
  }

  PointDisk& disk() { return *disk_; }

 private:
  // Before the index is read: what it names stays from then on. Of a repository that cannot be written to there is
  // none.
  void take_lease() {
    try {
      lease_ = std::make_unique<Lease>(context(), repository_,
                                       LeaseHolding{.kind = LeaseKind::reader, .maps = {source_.map}});
    } catch (const Error& e) {
      if (e.code() != Code::io && e.code() != Code::no_space) throw;
      context().warn(std::string("nobody can be told that a restore point is being read (") + e.what() +
                     "): do not prune meanwhile");
    }
  }

  Repository repository_;
  RestorePoint point_;
  const DiskPoint& source_;
  std::unique_ptr<Lease> lease_;
  std::unique_ptr<Index> index_;
  std::unique_ptr<PointDisk> disk_;
};

// --- what nbdkit calls

// All there is: its callbacks have nothing else to find it by.
struct Plugin {
  Parameters parameters;
  std::unique_ptr<Export> served;
};
Plugin& plugin() {
  static Plugin the_one;
  return the_one;
}

// The border: what `action` throws is said, and told to the client as EIO.
template <typename Action>
int guarded(const Action& action) {
  try {
    action();
    return 0;
  } catch (const std::exception& e) {
    nbdkit_error("%s", e.what());
    nbdkit_set_error(EIO);
    return -1;
  }
}

int config(const char* key, const char* value) {
  return guarded([&] {
    const auto& table = parameter_table();
    const auto found = table.find(key);
    if (found == table.end()) throw Error(Code::usage, std::string("unknown parameter '") + key + "'");
    found->second(plugin().parameters, value);
  });
}

int config_complete() {
  return guarded([] {
    const Parameters& parameters = plugin().parameters;
    if (parameters.repository.empty() || parameters.point.empty())
      throw Error(Code::usage, "write repository=DIR and point=ID");
  });
}

int get_ready() {
  return guarded([] { plugin().served = std::make_unique<Export>(plugin().parameters); });
}

// nbdkit listens by now: who connects is served as soon as this returns.
int after_fork() {
  return guarded([] {
    plugin().served->start();
    const std::string& ready = plugin().parameters.ready;
    if (!ready.empty()) base::replace_file(ready, std::to_string(plugin().served->disk().size_bytes()));
  });
}

void unload() {
  plugin().served.reset();
  for (const auto& path : plugin().parameters.remove) {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
}

void* open_connection(int) { return NBDKIT_HANDLE_NOT_NEEDED; }

std::int64_t get_size(void*) { return static_cast<std::int64_t>(plugin().served->disk().size_bytes()); }

int pread_at(void*, void* into, std::uint32_t count, std::uint64_t offset, std::uint32_t) {
  return guarded([&] {
    plugin().served->disk().read(context(), offset, {static_cast<std::byte*>(into), std::size_t{count}});
  });
}

int extents_of(void*, std::uint32_t count, std::uint64_t offset, std::uint32_t flags, nbdkit_extents* extents) {
  return guarded([&] {
    plugin().served->disk().each_extent(context(), {offset, count}, [&](disk::ByteRange range, PointDisk::Extent kind) {
      const std::uint32_t type = kind == PointDisk::Extent::zeroes ? NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO : 0U;
      if (nbdkit_add_extent(extents, range.offset, range.length, type) != 0)
        throw Error(Code::io, "no memory for a list of extents");
      return (flags & NBDKIT_FLAG_REQ_ONE) == 0;
    });
  });
}

int yes(void*) { return 1; }
// By reading it, which keeps it.
int can_cache(void*) { return NBDKIT_CACHE_EMULATE; }

const char* const kHelp =
    "repository=DIR    (required) the repository\n"
    "point=ID          (required) the restore point's whole identifier\n"
    "disk=NAME         the disk, where there are several\n"
    "key-file=PATH     what opens the repository; or\n"
    "passphrase-fd=N   a descriptor with the passphrase in its first line; or\n"
    "credential-fd=N   a descriptor with what `muster` opened it with\n"
    "ready=PATH        made once it serves: a file with the disk's size in bytes\n"
    "remove=PATH       removed at the end, with all that is in it";

nbdkit_plugin table() {
  nbdkit_plugin functions{};
  functions.name = "muster";
  functions.longname = "muster restore points";
  functions.description = "a disk of a restore point of muster, read-only";
  functions.config_help = kHelp;
  functions.config = config;
  functions.config_complete = config_complete;
  functions.get_ready = get_ready;
  functions.after_fork = after_fork;
  functions.unload = unload;
  functions.open = open_connection;
  functions.get_size = get_size;
  functions.pread = pread_at;
  functions.can_extents = yes;
  functions.extents = extents_of;
  functions.can_multi_conn = yes;
  functions.can_cache = can_cache;
  return functions;
}

nbdkit_plugin registered = table();

}  // namespace
}  // namespace muster::backup

NBDKIT_REGISTER_PLUGIN(muster::backup::registered)
