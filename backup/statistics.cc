#include "backup/statistics.h"

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "backup/chunk_reader.h"
#include "backup/object_names.h"
#include "backup/restore_point.h"

namespace muster::backup {
namespace {

using base::Context;

// Eight bytes of a keyed hash tell chunks apart well enough for counting.
using Short = std::uint64_t;
constexpr std::uint32_t kShared = UINT32_MAX;

class Counting {
 public:
  Counting(const Repository& repository, const Index& index)
      : index_(index), keys_(repository), chunks_(repository, index, keys_) {}

  void add(const Context& ctx, const RestorePoint& point, MachineStatistics& machine, std::uint32_t number) {
    if (number != number_) {
      number_ = number;
      own_chunks_.clear();
      own_pages_.clear();
    }
    ++machine.points;
    machine.logical_bytes += point.size_bytes();
    for (const auto& content : point.contents()) {
      machine.named_bytes += named_bytes(ctx, content);
      walk(ctx, chunks_, content,
           {.page =
                [&](const ChunkId& id) {
                  return own_pages_.insert(prefix_of(id)).second ? MapReader::Below::look : MapReader::Below::skip;
                },
            .chunk = [&](const ChunkId& id) { add_chunk(ctx, id, machine); }});
    }
  }

  // Stored bytes of chunks that one machine alone has, by its number; and all of them.
  void finish(std::vector<MachineStatistics*>& machines, MachineStatistics& total) const {
    for (const auto& [id, use] : all_) {
      total.unique_bytes += use.plain;
      total.stored_bytes += use.stored;
      if (use.machine == kShared) continue;
      machines[use.machine]->own_bytes += use.stored;
    }
    total.own_bytes = total.stored_bytes;
  }

 private:
  struct Use {
    std::uint32_t machine, plain, stored;
  };

  std::uint64_t named_bytes(const Context& ctx, const Content& content) {
    if (const auto* tree = std::get_if<AreaTree>(&content)) return listed_bytes(ctx, tree->domain, tree->root);
    std::uint64_t bytes = 0;
    const auto& map = std::get<DiskMap>(content);
    MapReader(chunks_, map).each_chunk(ctx, [&](std::uint64_t number, const ChunkId&) {
      bytes += map.chunk_size(number);
    });
    return bytes;
  }

  // Most pages are in the listings of many points.
  std::uint64_t listed_bytes(const Context& ctx, Domain domain, const ChunkId& id) {
    if (const auto known = listed_bytes_.find(id); known != listed_bytes_.end()) return known->second;
    const AreaPage page = read_area_page(ctx, chunks_, domain, id);
    std::uint64_t bytes = 0;
    for (const auto& item : page.items)
      for (const auto& piece : item.pieces) bytes += piece.chunk ? piece.length : 0;
    for (const auto& child : page.children) bytes += listed_bytes(ctx, domain, child.page);
    return listed_bytes_[id] = bytes;
  }

  void add_chunk(const Context& ctx, const ChunkId& id, MachineStatistics& machine) {
    const Short name = prefix_of(id);
    if (!own_chunks_.insert(name).second) return;
    auto found = all_.find(name);
    if (found == all_.end()) {
      const auto place = index_.find(ctx, RecordKind::chunk, id);
      found =
          all_.emplace(name, Use{number_, place ? place->place.plain_bytes : 0, place ? place->place.record_bytes : 0})
              .first;
    } else if (found->second.machine != number_) {
      found->second.machine = kShared;
    }
    machine.unique_bytes += found->second.plain;
    machine.stored_bytes += found->second.stored;
  }

  const Index& index_;
  PackKeyCache keys_;
  ChunkReader chunks_;
  std::unordered_map<Short, Use> all_;
  std::unordered_map<ChunkId, std::uint64_t> listed_bytes_;  // below pages of listings
  std::unordered_set<Short> own_chunks_, own_pages_;
  std::uint32_t number_ = kShared;
};

void count_objects(const Context& ctx, Storage& storage, RepositoryStatistics& result) {
  storage.list(ctx, "", [&](const StoredObject& object) {
    if (object.name.starts_with(kPacksPrefix)) {
      ++result.packs;
      result.pack_bytes += object.size_bytes;
    } else if (object.name.starts_with(kIndexPrefix)) {
      result.index_bytes += object.size_bytes;
    } else {
      result.other_bytes += object.size_bytes;
    }
  });
}

}  // namespace

RepositoryStatistics statistics(const Context& ctx, const Repository& repository, const Index& index) {
  RepositoryStatistics result;
  std::map<std::string, std::vector<RestorePoint>> by_name;
  for (auto& listed : list_points(ctx, repository)) by_name[listed.point.name].push_back(std::move(listed.point));
  Counting counting(repository, index);
  std::vector<MachineStatistics*> machines;
  for (const auto& [name, points] : by_name) {
    MachineStatistics& machine = result.machines[name];
    const auto number = static_cast<std::uint32_t>(machines.size());
    machines.push_back(&machine);
    for (const auto& point : points) counting.add(ctx, point, machine, number);
    result.total.points += machine.points;
    result.total.logical_bytes += machine.logical_bytes;
    result.total.named_bytes += machine.named_bytes;
  }
  counting.finish(machines, result.total);
  count_objects(ctx, repository.storage(), result);
  return result;
}

}  // namespace muster::backup
