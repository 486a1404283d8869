#include "backup/create.h"

#include <algorithm>
#include <thread>

#include "backup/area_intake.h"
#include "backup/disk_intake.h"
#include "backup/lease.h"
#include "backup/object_names.h"
#include "backup/rfc3339.h"
#include "backup/settle.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Code;
using base::Context;
using base::Error;

// Attempts before a writer and maintenance give up getting past each other.
constexpr unsigned kMaxAttempts = 5;

const DiskPoint* find_disk(const RestorePoint& point, const std::string& disk) {
  const auto found = std::find_if(point.disks.begin(), point.disks.end(),
                                  [&](const DiskPoint& candidate) { return candidate.disk == disk; });
  return found == point.disks.end() ? nullptr : &*found;
}

const DiskMap* part_map(const RestorePoint& point, const std::string& part) {
  const auto found = std::find_if(point.parts.begin(), point.parts.end(),
                                  [&](const PartPoint& candidate) { return candidate.part == part; });
  return found == point.parts.end() ? nullptr : &found->map;
}

// Something changed on a disk without anybody's knowledge.
struct AuditFailed {
  std::string disk;
};

AuditPart next_part(const AuditRound& round, unsigned parts) {
  return {.part = round.parts == parts ? round.next : 0, .parts = parts};
}

// What is known of the disk now: after `part` was audited, or, without an earlier one, after all of it was read.
void prove(DiskPoint& disk, const DiskPoint* before, const AuditPart& part) {
  const auto time = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  if (before == nullptr) {
    disk.proved = time;
    return;
  }
  disk.proved = before->proved;
  disk.audit = before->audit;
  if (part.parts == 0) return;
  if (part.part == 0) disk.audit.began = time;
  disk.audit.parts = part.parts;
  disk.audit.next = (part.part + 1) % part.parts;
  if (disk.audit.next == 0) disk.proved = disk.audit.began;
}

// Bytes that are at hand, as a disk.
class BytesReader : public disk::BlockReader {
 public:
  explicit BytesReader(base::ByteView bytes) : bytes_(bytes) {}
  std::uint64_t size_bytes() const override { return bytes_.size(); }
  std::vector<disk::ByteRange> data_ranges(const Context&, disk::ByteRange within) override { return {within}; }
  void read(const Context&, std::uint64_t offset, base::MutableBytes into) override {
    const auto from = bytes_.subspan(static_cast<std::size_t>(offset), into.size());
    std::copy(from.begin(), from.end(), into.begin());
  }

 private:
  base::ByteView bytes_;
};

LeaseHolding holding_of(const std::optional<RestorePoint>& parent) {
  return {.kind = LeaseKind::writer, .contents = parent ? parent->contents() : std::vector<Content>()};
}

// One attempt, from reading to a point that is put but not confirmed.
class Attempt {
 public:
  Attempt(const Context& ctx, const Repository& repository, const CreateRequest& request, Progress& progress)
      : ctx_(ctx),
        repository_(repository),
        request_(request),
        progress_(progress),
        index_(Index::load(ctx, repository)),
        keys_(repository),
        rate_(request.options.bytes_per_second),
        writer_(ctx, repository, *index_, {}) {}

  CreateResult run(const std::optional<RestorePoint>& parent);
  const Index& index() const { return *index_; }

 private:
  DiskMap take(const DiskSource& source, const DiskMap* parent, IntakeCounts& counts, const AuditPart& audit);
  DiskPoint take_disk(const DiskSource& source, const std::optional<RestorePoint>& parent);
  PartPoint take_part(const PartSource& source, const std::optional<RestorePoint>& parent);
  AreaPoint take_area(const AreaSource& source, const std::optional<RestorePoint>& parent);
  Intake intake(IntakeCounts& counts);

  const Context& ctx_;
  const Repository& repository_;
  const CreateRequest& request_;
  Progress& progress_;
  std::unique_ptr<Index> index_;
  PackKeyCache keys_;
  RateLimit rate_;
  IntakeCounts counts_;    // of disks
  IntakeCounts of_parts_;  // which cost next to nothing, and are no answer to what a disk did
  std::atomic<std::uint32_t> next_sealer_ = 0;
  SessionWriter writer_;
};

Intake Attempt::intake(IntakeCounts& counts) {
  return {.repository = repository_,
          .index = *index_,
          .writer = writer_,
          .keys = keys_,
          .options = request_.options,
          .with_base = request_.with_base,
          .rate = request_.rate != nullptr ? *request_.rate : rate_,
          .progress = progress_,
          .counts = counts,
          .next_sealer = next_sealer_};
}

DiskMap Attempt::take(const DiskSource& source, const DiskMap* parent, IntakeCounts& counts, const AuditPart& audit) {
  Intake shared = intake(counts);
  return take_in(ctx_, shared, source, parent, audit);
}

AreaPoint Attempt::take_area(const AreaSource& source, const std::optional<RestorePoint>& parent) {
  Intake shared = intake(counts_);
  const bool same =
      parent && parent->area && parent->area->host == source.host_name && parent->area->path == source.order.path;
  return take_in_area(ctx_, shared, source, same ? &*parent->area : nullptr);
}

DiskPoint Attempt::take_disk(const DiskSource& source, const std::optional<RestorePoint>& parent) {
  DiskPoint point;
  point.disk = source.disk;
  point.source = source.source;
  point.format = source.format;
  point.source_modified_ns = source.modified_ns;
  point.source_changed_ns = source.changed_ns;
  const DiskPoint* before = parent ? find_disk(*parent, source.disk) : nullptr;
  const bool whole = !source.dirty || before == nullptr;
  const AuditPart part = whole ? AuditPart() : next_part(before->audit, request_.audit_parts);
  const std::uint64_t differences = counts_.audit_differences;
  point.map = take(source, before == nullptr ? nullptr : &before->map, counts_, part);
  if (counts_.audit_differences != differences) throw AuditFailed{source.disk};
  prove(point, whole ? nullptr : before, part);
  point.bitmap = source.bitmap;
  point.whole_because = source.whole_because;
  return point;
}

PartPoint Attempt::take_part(const PartSource& source, const std::optional<RestorePoint>& parent) {
  BytesReader reader(source.bytes);
  DiskSource as_disk;
  as_disk.disk = as_disk.source = source.part;
  as_disk.reader = &reader;
  return {.part = source.part, .map = take(as_disk, parent ? part_map(*parent, source.part) : nullptr, of_parts_, {})};
}

CreateResult Attempt::run(const std::optional<RestorePoint>& parent) {
  const auto began = base::Clock::now();
  CreateResult result;
  RestorePoint& point = result.point;
  point = {.id = random_object_id(),
           .name = request_.name,
           .time = now(),
           .sequence = std::max(request_.sequence, request_.parent ? request_.parent->sequence + 1 : 0),
           .tool = request_.tool,
           .consistency = request_.consistency,
           .parent = parent ? std::optional(parent->id) : std::nullopt,
           .tags = request_.tags,
           .disks = {},
           .parts = {},
           .machine = request_.machine,
           .area = std::nullopt};
  point.domain = repository_.credential().home();
  for (const auto& source : request_.disks) point.disks.push_back(take_disk(source, parent));
  for (const auto& source : request_.parts) point.parts.push_back(take_part(source, parent));
  if (request_.area) point.area = take_area(*request_.area, parent);
  writer_.flush();
  const Written written = writer_.written();
  point.bytes_dirty = counts_.dirty_bytes;
  point.bytes_read = counts_.read_bytes;
  point.bytes_audited = counts_.audited_bytes;
  point.bytes_new = written.chunk_plain_bytes;
  point.bytes_stored = written.stored_bytes;
  point.duration = std::chrono::duration_cast<std::chrono::milliseconds>(base::Clock::now() - began);
  result.chunks = counts_.chunks;
  result.changed_chunks = counts_.changed_chunks;
  if (request_.before_commit) request_.before_commit();
  put_point(ctx_, repository_, point);
  return result;
}

// Where one record of changes is wrong, none is believed.
void read_whole(CreateRequest& request) {
  for (auto& source : request.disks) {
    if (!source.dirty) continue;
    source.dirty.reset();
    source.whole_because = "an audit found changes that were not recorded";
  }
}

void check_request(const CreateRequest& request) {
  check_point_name(request.name);
  if (request.disks.empty() && !request.area)
    throw Error(Code::usage, "a restore point has at least one disk, or an area");
  if (request.area) check_area_order(request.area->order);
  for (const auto& source : request.disks)
    if (source.reader->size_bytes() > kMaxDiskBytes)
      throw Error(Code::unsupported, source.source + ": larger than muster backs up");
}

}  // namespace

CreateResult create_restore_point(const Context& ctx, const Repository& repository, const CreateRequest& wanted,
                                  Progress& progress) {
  check_request(wanted);
  check_features(repository.config(), Use::write);
  if (wanted.area) check_holds_areas(repository.config());
  CreateRequest request = wanted;
  std::optional<RestorePoint> parent = request.parent;
  if (parent && parent->domain != repository.credential().home()) parent.reset();
  Lease lease(ctx, repository, holding_of(parent));
  for (unsigned attempt = 1; attempt <= kMaxAttempts; ++attempt) {
    std::uint64_t bytes = 0;
    for (const auto& source : request.disks) bytes += source.reader->size_bytes();
    for (const auto& source : request.parts) bytes += source.bytes.size();
    progress.begin(Progress::Unit::bytes, bytes);
    Attempt work(ctx, repository, request, progress);
    // Looked at after the sentences: whoever let go of what a forgotten parent had did so before, or is seen later.
    if (parent && !is_kept(ctx, repository, parent->id)) parent.reset();
    try {
      CreateResult result = work.run(parent);
      result.attempts = attempt;
      if (settle(ctx, repository, work.index(), result.point)) return result;
      ctx.note("maintenance let go of what this backup relies on: it is made again from its source");
      // Whatever the parent has may be gone as well.
      parent.reset();
    } catch (const AuditFailed& failed) {
      ctx.warn(request.name + ": disk " + failed.disk +
               " changed where nothing was recorded: its record of changes is wrong, and everything is read");
      read_whole(request);
    }
  }
  throw Error(Code::busy, "maintenance kept letting go of what the backup of '" + request.name + "' relies on");
}

}  // namespace muster::backup
