// A restore point: the disks of one machine, or the files of one area, as they were, and what is known of that. It is
// put unconfirmed, and holds once a decision says so (muster-repository(7), "Writing").
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backup/content.h"
#include "backup/repository.h"
#include "base/error.h"

namespace muster::backup {

inline constexpr std::uint32_t kMaxAuditParts = 1000;

// Which parts of a disk were read again although nothing was to have changed there (create.h): the parts of a round,
// one a backup.
struct AuditRound {
  std::uint32_t parts = 0;  // 0: none has begun
  std::uint32_t next = 0;   // the part that the next backup reads
  std::chrono::sys_seconds began{};
};

struct DiskPoint {
  std::string disk;    // `vda`, or an image's number from 1
  std::string source;  // path or URI it was read from
  std::string format;  // of the source: raw, qcow2, nbd
  // Of the source when it was read, where that is a file: when its content, and anything of it, was changed last. In
  // nanoseconds since 1970.
  std::optional<std::int64_t> source_modified_ns{}, source_changed_ns{};
  DiskMap map{};
  std::string bitmap{};         // in its image, which records what changes, by the machine's checkpoint; empty: none
  std::string whole_because{};  // why all of it was read; empty: only what had changed, or nobody knows better
  // Since when it is known that what the disk held then is what is here: all of it was read at that time or later.
  std::optional<std::chrono::sys_seconds> proved{};
  AuditRound audit{};
};

// What belongs to a machine beside its disks, whole: its definition, what its firmware keeps.
struct PartPoint {
  std::string part;  // `domain.xml`, `nvram`, ...
  DiskMap map;
};

// The machine that the disks are of, where that is one of a hypervisor.
struct MachinePoint {
  std::string uuid;
  std::string hypervisor;  // its host's name
  // From which bitmaps in its images record what changes. Nobody can guess it. Empty: there is none.
  std::string checkpoint{};
  std::string checkpoint_xml{};  // as libvirt takes it
  // The checkpoint began with this point: what bitmaps record is relative to its disks. Else it began earlier, and is
  // still good.
  bool begins = false;
};

// The files below one directory of one machine, where the point is of those and not of disks.
struct AreaPoint {
  std::string host;  // as the inventory names it; empty: the machine where the backup ran
  std::string path;  // absolute
  std::vector<std::string> excludes;
  bool one_file_system = false;
  AreaTree tree{};
  std::uint64_t entries = 0, files = 0;
  std::uint64_t size_bytes = 0;  // of all files, each once, however many names it has
  // What came of reading: files that changed meanwhile, that could not be read or were gone, sockets.
  std::uint64_t changed = 0, unread = 0, skipped = 0;
  // When the listing began, by the clock of that machine: what changed just before may change again unnoticed.
  std::chrono::sys_seconds began{};
};

struct RestorePoint {
  ObjectId id;
  std::string name;                // of the machine
  std::chrono::sys_seconds time;   // by the clock of the host that made it
  std::uint64_t sequence = 0;      // one more than its parent's: tells apart those of one second
  std::string tool;                // `muster 0.1.0`
  std::string consistency;         // `image`: whatever the files held; `files`: each as it was when it was read
  std::optional<ObjectId> parent;  // what it was compared with
  std::vector<std::string> tags;   // as given when it was made
  std::vector<DiskPoint> disks;
  std::vector<PartPoint> parts;
  std::optional<MachinePoint> machine{};
  std::optional<AreaPoint> area{};
  std::uint64_t bytes_dirty = 0, bytes_read = 0, bytes_new = 0, bytes_stored = 0;
  std::uint64_t bytes_audited = 0;  // of those read
  std::chrono::milliseconds duration{};
  Domain domain = kDefaultDomain;  // whose keys it was made with

  // Of all disks, or of the area.
  std::uint64_t size_bytes() const;
  // All that its records are named by.
  std::vector<Content> contents() const;
};

enum class PointState { unconfirmed, confirmed, rejected };

struct ListedPoint {
  RestorePoint point;
  PointState state = PointState::unconfirmed;
  ObjectId signer;
  std::string host;                 // the signer's label
  std::chrono::sys_seconds stored;  // when it was confirmed, or put, by the store's clock
  bool trusted = true;              // its signer may make points of this name, and could then
};

// The name as others' tools and shells take it: 1 to 200 bytes, no control characters, `@`, `/` or `:`, no blank at an
// end. Throws Error{usage}.
void check_point_name(const std::string& name);

// Puts it, unconfirmed.
void put_point(const base::Context& ctx, const Repository& repository, const RestorePoint& point);
// Throws Error{not_found, corrupt, key}.
ListedPoint get_point(const base::Context& ctx, const Repository& repository, const ObjectId& id);
// Whether the point is there, and nobody forgot it.
bool is_kept(const base::Context& ctx, const Repository& repository, const ObjectId& id);
// What holds from now on; what held before, where somebody decided already; `rejected` where the point is gone.
PointState decide_point(const base::Context& ctx, const Repository& repository, const ObjectId& id, PointState state);

// What a list could not read.
using OnUnreadable = std::function<void(const std::string& object, const base::Error& why)>;

// Every point that is there and not forgotten, by time and sequence. Those that cannot be read are told of, one by one.
std::vector<ListedPoint> list_all_points(const base::Context& ctx, const Repository& repository,
                                         const OnUnreadable& unreadable);
// The confirmed, trusted ones. Warns of what cannot be read or trusted.
std::vector<ListedPoint> list_points(const base::Context& ctx, const Repository& repository);

// --- letting points go

// Points of one list, all let go at once. Throws Error{key} without the maintenance key. Then removes them.
void forget_points(const base::Context& ctx, const Repository& repository, const std::vector<ObjectId>& points);
// Ends what a killed forget_points() began. Throws Error{key} likewise.
void finish_forgetting(const base::Context& ctx, const Repository& repository);

}  // namespace muster::backup
