#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>

#include "backup/check_parts.h"
#include "backup/chunk_reader.h"
#include "backup/content.h"
#include "backup/object_names.h"
#include "backup/restore_point.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Code;
using base::Context;
using base::Error;

// Of packs' tables in memory: some 20 MB.
constexpr std::size_t kMaxPacks = 1024;

// Pages are shared by most points: each is looked at once, and what was wrong below it is remembered.
class MapCheck {
 public:
  MapCheck(const Repository& repository, const Index& index, const std::set<DamagedRecord>& damaged, Findings& findings,
           Progress& progress)
      : repository_(repository),
        index_(index),
        damaged_(damaged),
        findings_(findings),
        progress_(progress),
        keys_(repository),
        chunks_(repository, index, keys_) {}

  // What is wrong with it; empty if nothing.
  std::string disk(const Context& ctx, const DiskMap& map);
  std::string area(const Context& ctx, const AreaTree& tree) { return listing(ctx, tree.domain, tree.root).wrong; }

 private:
  // Which page of its level it is, in which map.
  struct PagePlace {
    const DiskMap& map;
    std::uint64_t number;
  };
  std::string page(const Context& ctx, const ChunkId& id, std::uint8_t level, const PagePlace& place);
  std::string below(const Context& ctx, const MapPage& page, const PagePlace& place);
  static std::uint64_t bytes_below(std::uint8_t level, const PagePlace& place);
  std::string chunk(const Context& ctx, const ChunkId& id);
  bool is_there(const Context& ctx, RecordKind kind, const ChunkId& id);
  bool is_in(const Context& ctx, const ChunkPlace& place);
  const std::set<DamagedRecord>* read_quarantine_once(const Context& ctx);

  const Repository& repository_;
  const Index& index_;
  const std::set<DamagedRecord>& damaged_;
  Findings& findings_;
  Progress& progress_;
  PackKeyCache keys_;
  ChunkReader chunks_;
  struct Known {
    std::string wrong;
    std::size_t entries = 0;
  };
  std::map<std::tuple<Domain, std::uint8_t, ChunkId>, Known> pages_;
  struct KnownListing {
    std::string wrong;
    std::uint8_t level = 0;
  };
  const KnownListing& listing(const Context& ctx, Domain domain, const ChunkId& id);
  std::string below(const Context& ctx, const AreaPage& page, Domain domain);
  std::map<std::pair<Domain, ChunkId>, KnownListing> listings_;
  std::unordered_map<ObjectId, std::vector<RecordPlace>> packs_;  // tables of the last so many
  std::optional<std::set<DamagedRecord>> quarantine_;
  std::set<ChunkId> missing_;
};

// By the pack's own table, not only by an index table, which whoever signed it may have made up.
bool MapCheck::is_in(const Context& ctx, const ChunkPlace& place) {
  auto known = packs_.find(place.pack);
  if (known == packs_.end()) {
    if (packs_.size() >= kMaxPacks) packs_.clear();
    std::vector<RecordPlace> places;
    try {
      places = read_pack_table(ctx, repository_.storage(), repository_.id(), place.pack).places;
    } catch (const Error& e) {
      if (e.code() != Code::corrupt && e.code() != Code::not_found && e.code() != Code::key) throw;
      // Told of with the packs; its records may be whole all the same.
      return e.code() == Code::corrupt;
    }
    known = packs_.emplace(place.pack, std::move(places)).first;
  }
  const auto& places = known->second;
  const auto found = std::lower_bound(places.begin(), places.end(), place.place.offset,
                                      [](const RecordPlace& p, std::uint32_t offset) { return p.offset < offset; });
  return found != places.end() && *found == place.place;
}

bool MapCheck::is_there(const Context& ctx, RecordKind kind, const ChunkId& id) {
  const auto good = [&](const ChunkPlace& place) { return !damaged_.contains({place.pack, id}) && is_in(ctx, place); };
  const auto place = index_.find(ctx, kind, id);
  if (place && good(*place)) return true;
  const auto quarantined = read_quarantine_once(ctx);
  for (const auto& other : index_.find_all(ctx, kind, id))
    if (!quarantined->contains({other.pack, id}) && good(other)) return true;
  return false;
}

const std::set<DamagedRecord>* MapCheck::read_quarantine_once(const Context& ctx) {
  if (!quarantine_) quarantine_ = read_damaged(ctx, repository_);
  return &*quarantine_;
}

std::string MapCheck::chunk(const Context& ctx, const ChunkId& id) {
  if (is_there(ctx, RecordKind::chunk, id)) return "";
  if (missing_.insert(id).second) findings_.add_missing(RecordKind::chunk, id, "no undamaged record of it is indexed");
  return "chunk " + hex(id) + " is missing or damaged";
}

// The first thing that is wrong with what a page names; all of it is looked at.
std::string MapCheck::below(const Context& ctx, const MapPage& page, const PagePlace& place) {
  std::string wrong;
  for (std::size_t i = 0; i < page.entries.size(); ++i) {
    if (!page.entries[i]) continue;
    const std::string found = page.level == 0
                                  ? chunk(ctx, *page.entries[i])
                                  : this->page(ctx, *page.entries[i], static_cast<std::uint8_t>(page.level - 1),
                                               {place.map, place.number * kMapFanout + i});
    if (wrong.empty()) wrong = found;
  }
  return wrong;
}

// How much of the disk a page stands for.
std::uint64_t MapCheck::bytes_below(std::uint8_t level, const PagePlace& place) {
  std::uint64_t full = place.map.chunk_bytes;
  for (unsigned i = 0; i <= level; ++i) full *= kMapFanout;
  const std::uint64_t begin = full * place.number;
  return begin >= place.map.size_bytes ? 0 : std::min(full, place.map.size_bytes - begin);
}

std::string MapCheck::page(const Context& ctx, const ChunkId& id, std::uint8_t level, const PagePlace& place) {
  ctx.check_stop();
  // What a page is worth depends on who names it, and where.
  const auto key = std::tuple(place.map.domain, level, id);
  auto known = pages_.find(key);
  if (known == pages_.end()) {
    Known seen;
    try {
      base::Bytes plain;
      chunks_.accept_only(place.map.domain);
      chunks_.get(ctx, RecordKind::page, id, plain);
      const MapPage read = decode_map_page(plain);
      if (read.level != level) throw Error(Code::corrupt, "map page " + hex(id) + ": is of another level");
      seen = {.wrong = below(ctx, read, place), .entries = read.entries.size()};
    } catch (const Error& e) {
      if (e.code() != Code::corrupt && e.code() != Code::not_found) throw;
      seen.wrong = e.what();
      findings_.add_missing(RecordKind::page, id, e.what());
    }
    known = pages_.emplace(key, std::move(seen)).first;
    if (level == 0) progress_.done += bytes_below(level, place);
  } else {
    progress_.done += bytes_below(level, place);
  }
  if (!known->second.wrong.empty()) return known->second.wrong;
  // A page does not say where it belongs: that it has as many entries as its place is the map's own business.
  return known->second.entries == entries_of_page(place.map, level, place.number)
             ? ""
             : "map page " + hex(id) + " is of another map";
}

std::string MapCheck::disk(const Context& ctx, const DiskMap& map) {
  if (!map.root || map.leaves() == 0) return "";
  return page(ctx, *map.root, map.top_level(), {map, 0});
}

// As below(), of a listing's page.
std::string MapCheck::below(const Context& ctx, const AreaPage& page, Domain domain) {
  std::string wrong;
  for (const auto& item : page.items)
    for (const auto& piece : item.pieces) {
      const std::string found = piece.chunk ? chunk(ctx, *piece.chunk) : "";
      if (wrong.empty()) wrong = found;
    }
  for (const auto& child : page.children) {
    const KnownListing& found = listing(ctx, domain, child.page);
    if (!wrong.empty()) continue;
    wrong = found.wrong;
    if (wrong.empty() && found.level + 1 != page.level)
      wrong = "listing page " + hex(child.page) + " is of another level";
  }
  return wrong;
}

const MapCheck::KnownListing& MapCheck::listing(const Context& ctx, Domain domain, const ChunkId& id) {
  ctx.check_stop();
  const auto key = std::pair(domain, id);
  if (const auto known = listings_.find(key); known != listings_.end()) return known->second;
  KnownListing seen;
  try {
    const AreaPage page = read_area_page(ctx, chunks_, domain, id);
    seen.level = page.level;
    seen.wrong = below(ctx, page, domain);
  } catch (const Error& e) {
    if (e.code() != Code::corrupt && e.code() != Code::not_found) throw;
    seen.wrong = e.what();
    findings_.add_missing(RecordKind::page, id, e.what());
  }
  return listings_.emplace(key, std::move(seen)).first->second;
}

// The first thing that is wrong with a restore point, of which all disks are looked at; empty if nothing.
std::string wrong_with(const Context& ctx, const RestorePoint& point, MapCheck& maps, Progress& progress) {
  std::string wrong;
  const auto look = [&](const std::string& what, const DiskMap& map) {
    const std::uint64_t before = progress.done;
    const std::string found = maps.disk(ctx, map);
    progress.done = before + map.size_bytes;  // zeroes have no pages
    if (wrong.empty() && !found.empty()) wrong = what + ": " + found;
  };
  for (const auto& disk : point.disks) look("disk " + disk.disk, disk.map);
  for (const auto& part : point.parts) look(part.part, part.map);
  if (point.area) {
    const std::string found = maps.area(ctx, point.area->tree);
    progress.done += point.area->size_bytes;
    if (wrong.empty() && !found.empty()) wrong = "area: " + found;
  }
  return wrong;
}

}  // namespace

void check_maps(const Context& ctx, const Repository& repository, Findings& findings, Progress& progress) {
  // What is wrong with tables and labels was told of with the objects.
  const Context silent{.stop = ctx.stop};
  const auto index = Index::load(silent, repository);
  CheckResult& result = findings.result();
  const std::set<DamagedRecord> damaged(result.damaged.begin(), result.damaged.end());
  MapCheck maps(repository, *index, damaged, findings, progress);
  const auto points = list_all_points(silent, repository, [](const std::string&, const Error&) {});
  std::uint64_t bytes = 0;
  for (const auto& listed : points) {
    bytes += listed.point.size_bytes();
    for (const auto& part : listed.point.parts) bytes += part.map.size_bytes;
  }
  progress.begin(Progress::Unit::bytes, bytes);
  for (const auto& listed : points) {
    ++result.points;
    const std::string wrong = wrong_with(ctx, listed.point, maps, progress);
    // One that is being made is nobody's yet.
    if (!wrong.empty() && listed.state == PointState::confirmed)
      result.broken_points.emplace_back(listed.point.id, wrong);
  }
}

}  // namespace muster::backup
