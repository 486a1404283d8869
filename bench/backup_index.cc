// bench-backup-index DIR: what an index of ten million chunks (2.5 TiB at 256 KiB) costs a writer in memory and time,
// and what a restore point of a 1 TiB disk costs of which 100 chunks changed. Makes a repository in DIR, which
// it removes again. Prints figures and the limits they are held against; exits with 1 if one was missed.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include <fmt/format.h>

#include "backup/create.h"
#include "backup/directory_storage.h"
#include "backup/index.h"
#include "backup/map_builder.h"
#include "backup/repository.h"
#include "backup/rfc3339.h"

namespace {

using namespace muster;
using namespace muster::backup;

constexpr std::uint64_t kChunks = 10'000'000, kTableEntries = 500'000;
constexpr std::uint64_t kTib = std::uint64_t{1} << 40;

double seconds_since(base::TimePoint began) {
  return std::chrono::duration<double>(base::Clock::now() - began).count();
}

// In KiB, as the kernel has it.
std::uint64_t memory_kib(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(field + ":")) return std::stoull(line.substr(field.size() + 1));
  return 0;
}

bool report(const char* what, double value, double limit, const char* unit) {
  std::printf("%-52s %10.2f %-4s (at most %g) %s\n", what, value, unit, limit, value <= limit ? "ok" : "MISSED");
  return value <= limit;
}

// Ids as a keyed hash gives them: uniform.
ChunkId random_id(std::mt19937_64& random) {
  ChunkId id;
  for (std::size_t i = 0; i < id.bytes.size(); i += 8) {
    const std::uint64_t word = random();
    std::memcpy(&id.bytes[i], &word, 8);
  }
  return id;
}

// Tables as a first backup of 2.5 TiB leaves them: of packs of 128 chunks, one for so many entries. The packs are
// files without content: the index only asks whether they are there.
std::vector<ChunkId> make_index(const Repository& repository, DirectoryStorage& storage) {
  std::mt19937_64 random(1);
  std::vector<ChunkId> sample;
  for (std::uint64_t made = 0; made < kChunks; made += kTableEntries) {
    std::vector<ObjectId> packs;
    std::vector<IndexEntry> entries;
    entries.reserve(kTableEntries);
    for (std::uint64_t i = 0; i < kTableEntries; ++i) {
      if (i % 128 == 0) packs.push_back(random_object_id());
      const RecordPlace place{.id = random_id(random),
                              .offset = static_cast<std::uint32_t>(200 + (i % 128) * 110'000),
                              .record_bytes = 110'000,
                              .plain_bytes = 256U << 10};
      entries.push_back({place, static_cast<std::uint32_t>(packs.size() - 1)});
      if (i % 500 == 0) sample.push_back(place.id);
    }
    for (const auto& pack : packs) {
      const std::string id = hex(pack), path = storage.where() + "/packs/" + id.substr(0, 2);
      std::filesystem::create_directories(path);
      std::ofstream(path + "/" + id);
    }
    auto builder = build_index_table(std::move(packs), std::move(entries));
    put_index_table({}, repository, builder);
  }
  return sample;
}

class SparseDisk : public disk::BlockReader {
 public:
  std::uint64_t size_bytes() const override { return kTib; }
  std::vector<disk::ByteRange> data_ranges(const base::Context&, disk::ByteRange within) override {
    std::vector<disk::ByteRange> found;
    for (const auto& range : changed)
      if (range.offset < within.end() && range.end() > within.offset) found.push_back(range);
    return found;
  }
  void read(const base::Context&, std::uint64_t offset, base::MutableBytes into) override {
    std::mt19937_64 random(offset);
    for (std::size_t i = 0; i + 8 <= into.size(); i += 8) {
      const std::uint64_t word = random();
      std::memcpy(&into[i], &word, 8);
    }
  }
  std::vector<disk::ByteRange> changed;
};

// A restore point of a disk that is full: its map names as many chunks, which nobody looks at.
RestorePoint full_disk(const Repository& repository) {
  const auto index = Index::load({}, repository);
  SessionWriter writer({}, repository, *index, {});
  RecordSealer sealer(writer.keys(), 1, 0);
  DiskMap map{.size_bytes = kTib, .chunk_bytes = repository.config().chunk_bytes};
  std::mt19937_64 random(3);
  std::vector<MapEntry> leaves(map.leaves()), page(kMapFanout);
  for (auto& leaf : leaves) {
    for (auto& entry : page) entry = random_id(random);
    leaf = store_page(writer, sealer, 0, page);
  }
  map.root = build_upper_levels({}, writer, sealer, map, std::move(leaves));
  writer.flush();
  RestorePoint point;
  point.id = random_object_id();
  point.name = "full";
  point.time = now();
  point.tool = "bench";
  point.consistency = "image";
  point.disks.push_back({.disk = "1", .source = "bench", .format = "raw", .source_modified_ns = {}, .map = map});
  put_point({}, repository, point);
  decide_point({}, repository, point.id, PointState::confirmed);
  return point;
}

RestorePoint empty_disk(const Repository& repository) {
  SparseDisk disk;
  CreateRequest request{.name = "sparse", .tool = "bench", .consistency = "image"};
  request.disks.push_back({.disk = "1", .source = "bench", .format = "raw", .reader = &disk});
  Progress progress;
  return create_restore_point({}, repository, request, progress).point;
}

// A day later, 100 chunks changed, which the caller knows.
bool next_day(const Repository& repository, const RestorePoint& parent, const char* what) {
  SparseDisk disk;
  std::mt19937_64 random(2);
  const std::uint64_t chunk_bytes = repository.config().chunk_bytes;
  for (int i = 0; i < 100; ++i) disk.changed.push_back({random() % (kTib / chunk_bytes) * chunk_bytes, chunk_bytes});
  std::sort(disk.changed.begin(), disk.changed.end(), [](auto& a, auto& b) { return a.offset < b.offset; });
  CreateRequest request{.name = parent.name, .tool = "bench", .consistency = "image", .parent = parent};
  request.disks.push_back({.disk = "1", .source = "bench", .format = "raw", .reader = &disk, .dirty = disk.changed});
  Progress progress;
  const auto began = base::Clock::now();
  const auto point = create_restore_point({}, repository, request, progress).point;
  const double took = seconds_since(began);
  // Random bytes do not compress: the rest is metadata.
  const double metadata = static_cast<double>(point.bytes_stored) - static_cast<double>(point.bytes_new);
  const bool quick = report(fmt::format("1 TiB, {}: 100 changed chunks", what).c_str(), took, 1.0, "s");
  return report("  metadata", metadata / (1 << 20), 2.0, "MiB") && quick;
}

int run(const std::string& directory) {
  DirectoryStorage::create(directory);
  const auto storage = std::make_shared<DirectoryStorage>(directory);
  const NewRepository wanted{.created = "2026-11-28T00:00:00Z"};
  const auto created = plan_repository(wanted);
  create_repository({}, *storage, created, wanted);
  const Repository repository(storage, created.config, created.owner);
  bool good = next_day(repository, empty_disk(repository), "sparse");
  good = next_day(repository, full_disk(repository), "full") && good;
  const auto sample = make_index(repository, *storage);
  std::printf("index of %" PRIu64 " chunks made\n", kChunks);
  const std::uint64_t anonymous_before = memory_kib("RssAnon");
  auto began = base::Clock::now();
  const auto index = Index::load({}, repository);
  std::printf("%-52s %10.2f s\n", "loading it", seconds_since(began));
  began = base::Clock::now();
  std::size_t found = 0;
  for (const auto& id : sample) found += index->may_rely_on({}, RecordKind::chunk, id);
  std::printf("%-52s %10.2f us\n", "finding a chunk", seconds_since(began) * 1e6 / static_cast<double>(sample.size()));
  if (found != sample.size()) std::printf("%zu of %zu were not found: MISSED\n", sample.size() - found, sample.size());
  std::mt19937_64 random(99);
  began = base::Clock::now();
  for (int i = 0; i < 100'000; ++i) found += index->may_rely_on({}, RecordKind::chunk, random_id(random));
  std::printf("%-52s %10.2f us\n", "not finding one", seconds_since(began) * 1e6 / 100'000);
  const double held = static_cast<double>(memory_kib("RssAnon") - std::min(anonymous_before, memory_kib("RssAnon")));
  std::printf("%-52s %10.2f MiB\n", "held by it, by its own count",
              static_cast<double>(index->memory_bytes()) / (1 << 20));
  std::printf("%-52s %10.2f MiB\n", "more anonymous memory than before", held / 1024);
  good = report("anonymous memory of all", static_cast<double>(memory_kib("RssAnon")) / 1024, 256, "MiB") && good;
  return good && found >= sample.size() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: bench-backup-index DIR (which is made, and removed)\n"), 2;
  int status = 1;
  try {
    status = run(argv[1]);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench-backup-index: %s\n", e.what());
  }
  std::filesystem::remove_all(argv[1]);
  return status;
}
