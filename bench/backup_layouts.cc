// bench-backup-layouts DIR [LEVEL]: what ways to cut disks into chunks cost, on the six images of DIR that
// bench/backup-images made, and on days of scattered writes; zstd LEVEL, 1 unless told. All hash, compress and
// seal with the repository's own functions, on one core, into memory; what is restored is compared with the image.
// docs/chunk-layout.md has a run of it and what was decided.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "backup/compression.h"
#include "backup/crypto.h"
#include "backup/index_table.h"
#include "backup/map_page.h"
#include "backup/record.h"
#include "base/unique_fd.h"

namespace {

using namespace muster::backup;
using muster::base::Bytes;
using muster::base::ByteView;
using muster::base::MutableBytes;

constexpr std::size_t kBlock = 64U << 10;  // of a dirty bitmap, QEMU's default
constexpr std::size_t kRecordOverhead = kRecordHeaderBytes + Aead::kTagBytes;

// --- what is backed up

// A file in memory; what is written stays in this process.
class Image {
 public:
  explicit Image(const std::string& path) {
    const muster::base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat facts {};
    if (!fd || ::fstat(fd.get(), &facts) != 0) throw std::runtime_error("cannot open " + path);
    size_ = static_cast<std::size_t>(facts.st_size);
    void* at = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd.get(), 0);
    if (at == MAP_FAILED) throw std::runtime_error("cannot map " + path);
    data_ = static_cast<std::byte*>(at);
  }
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;
  ~Image() { ::munmap(data_, size_); }

  std::size_t blocks() const { return (size_ + kBlock - 1) / kBlock; }
  std::size_t size() const { return size_; }
  std::byte* data() { return data_; }
  // As a backup reads it.
  ByteView read(std::size_t offset, std::size_t length, std::uint64_t& counter) const {
    const ByteView view(data_ + offset, std::min(length, size_ - offset));
    counter += view.size();
    return view;
  }
  ByteView all() const { return {data_, size_}; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

bool is_zero(ByteView bytes) {
  return bytes.empty() ||
         (bytes[0] == std::byte{} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

using Dirty = std::vector<bool>;  // by block

// As block status tells: what is not zero.
Dirty data_of(const Image& image) {
  Dirty dirty(image.blocks());
  std::uint64_t unused = 0;
  for (std::size_t i = 0; i < dirty.size(); ++i) dirty[i] = !is_zero(image.read(i * kBlock, kBlock, unused));
  return dirty;
}

Dirty difference(const Image& before, const Image& now) {
  Dirty dirty(now.blocks());
  std::uint64_t unused = 0;
  for (std::size_t i = 0; i < dirty.size(); ++i) {
    const ByteView a = before.read(i * kBlock, kBlock, unused), b = now.read(i * kBlock, kBlock, unused);
    dirty[i] = a.size() != b.size() || std::memcmp(a.data(), b.data(), a.size()) != 0;
  }
  return dirty;
}

bool any(const Dirty& dirty, std::size_t from, std::size_t count) {
  const auto begin = dirty.begin() + static_cast<std::ptrdiff_t>(from);
  const auto end = dirty.begin() + static_cast<std::ptrdiff_t>(std::min(from + count, dirty.size()));
  return std::find(begin, end, true) != end;
}

// --- what all layouts store into

class Store {
 public:
  explicit Store(int level) : hash_(Secret::random()), aead_(Secret::random()), compressor_(level) {}

  ChunkId id(ByteView plain) { return hash_(plain); }
  bool has(const ChunkId& id) const { return index_.contains(id); }
  std::size_t ids() const { return index_.size(); }
  std::uint64_t bytes() const { return bytes_; }

  // One record that holds the chunks `ids`, of equal size but for the last.
  void put(const std::vector<ChunkId>& ids, ByteView plain) {
    packed_.resize(plain.size());
    const auto size = looks_incompressible(plain) ? std::nullopt : compressor_.compress(plain, packed_);
    const ByteView body = size ? ByteView(packed_).first(*size) : plain;
    Record record{.plain = plain.size(), .compressed = size.has_value(), .nonce = next_nonce(), .sealed = {}};
    record.sealed.resize(body.size() + Aead::kTagBytes);
    aead_.seal(record.nonce, {}, body, record.sealed);
    bytes_ += kRecordHeaderBytes + record.sealed.size() + (ids.size() - 1) * sizeof(ChunkId);
    for (std::size_t i = 0; i < ids.size(); ++i) index_.emplace(ids[i], Place{records_.size(), i});
    records_.push_back(std::move(record));
  }
  // A page of a map, which no index names.
  ChunkId put_page(ByteView plain) {
    const ChunkId name = id(plain);
    if (pages_.emplace(name, true).second) bytes_ += plain.size() + kRecordOverhead;
    return name;
  }
  // The chunk `id`, whose record holds chunks of `chunk` bytes; checked against its name.
  void get(const ChunkId& name, std::size_t chunk, MutableBytes into) {
    const Place place = index_.at(name);
    if (!open_ || *open_ != place.record) {
      const Record& record = records_[place.record];
      body_.resize(record.sealed.size() - Aead::kTagBytes);
      if (!aead_.open(record.nonce, {}, record.sealed, body_)) throw std::runtime_error("a record does not open");
      plain_.resize(record.plain);
      if (!record.compressed)
        std::memcpy(plain_.data(), body_.data(), body_.size());
      else if (!decompressor_.decompress(body_, plain_))
        throw std::runtime_error("a record does not decompress");
      open_ = place.record;
    }
    const ByteView found = ByteView(plain_).subspan(place.slot * chunk).first(into.size());
    if (id(found) != name) throw std::runtime_error("a chunk is not what it is called");
    std::memcpy(into.data(), found.data(), found.size());
  }

 private:
  struct Record {
    std::size_t plain = 0;
    bool compressed = false;
    Nonce nonce{};
    Bytes sealed{};
  };
  struct Place {
    std::size_t record = 0, slot = 0;
  };
  struct Hash {
    std::size_t operator()(const ChunkId& id) const {
      std::size_t word = 0;
      std::memcpy(&word, id.bytes.data(), sizeof(word));
      return word;
    }
  };

  Nonce next_nonce() {
    Nonce nonce{};
    ++count_;
    std::memcpy(nonce.data(), &count_, sizeof(count_));
    return nonce;
  }

  KeyedHash hash_;
  Aead aead_;
  Compressor compressor_;
  Decompressor decompressor_;
  std::vector<Record> records_;
  std::unordered_map<ChunkId, Place, Hash> index_;
  std::unordered_map<ChunkId, bool, Hash> pages_;
  std::uint64_t bytes_ = 0, count_ = 0;
  std::optional<std::size_t> open_;
  Bytes packed_, body_, plain_;
};

// The tree of a map over `names`, which its pages of `level` name.
void put_pages(Store& store, std::vector<MapEntry> names, std::uint8_t level) {
  for (; names.size() > 1 || level == 0; ++level) {
    std::vector<MapEntry> above;
    for (std::size_t at = 0; at < names.size(); at += kMapFanout) {
      const auto page = std::span(names).subspan(at, std::min<std::size_t>(kMapFanout, names.size() - at));
      above.push_back(all_zero(page) ? MapEntry() : store.put_page(encode_map_page(level, page)));
    }
    names = std::move(above);
  }
}

// --- layouts

// A chain of versions of one disk in a store.
class Layout {
 public:
  explicit Layout(int level) : store(level) {}
  virtual ~Layout() = default;
  virtual const char* name() const = 0;
  // The next version: as the last one but for what is dirty.
  virtual void take(const Image& image, const Dirty& dirty) = 0;
  // As a disk that was never seen before.
  virtual void forget_parent() = 0;
  // The last version, into zeroes.
  virtual void restore(MutableBytes into) = 0;

  Store store;
  std::uint64_t bytes_read = 0;
};

// Chunks of one size. What is clean in a dirty one is read with it.
class Plain final : public Layout {
 public:
  Plain(int level, std::size_t chunk_kib)
      : Layout(level), name_(fmt::format("{} KiB plain", chunk_kib)), chunk_(chunk_kib << 10) {}
  const char* name() const override { return name_.c_str(); }
  void forget_parent() override { chunks_.clear(); }

  void take(const Image& image, const Dirty& dirty) override {
    chunks_.resize((image.size() + chunk_ - 1) / chunk_);
    for (std::size_t i = 0; i < chunks_.size(); ++i) {
      if (!any(dirty, i * chunk_ / kBlock, chunk_ / kBlock)) continue;
      const ByteView plain = image.read(i * chunk_, chunk_, bytes_read);
      chunks_[i] = is_zero(plain) ? MapEntry() : store.id(plain);
      if (chunks_[i] && !store.has(*chunks_[i])) store.put({*chunks_[i]}, plain);
    }
    put_pages(store, chunks_, 0);
  }

  void restore(MutableBytes into) override {
    for (std::size_t i = 0; i < chunks_.size(); ++i)
      if (chunks_[i])
        store.get(*chunks_[i], chunk_, into.subspan(i * chunk_, std::min(chunk_, into.size() - i * chunk_)));
  }

 private:
  std::string name_;
  std::size_t chunk_;
  std::vector<MapEntry> chunks_;
};

// Slots of 1 MiB: a base, and up to four blocks of 64 KiB over it. A fifth makes a new base.
class Patched final : public Layout {
 public:
  using Layout::Layout;
  const char* name() const override { return "1 MiB slots, 64 KiB patches"; }
  void forget_parent() override { slots_.clear(); }

  void take(const Image& image, const Dirty& dirty) override {
    const bool first = slots_.empty();
    slots_.resize((image.size() + kSlot - 1) / kSlot);
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (any(dirty, i * kBlocks, kBlocks) && (first || !slots_[i].base || !patch(image, dirty, i))) rebase(image, i);
    put_slots();
  }

  void restore(MutableBytes into) override {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      const auto slot = into.subspan(i * kSlot, std::min(kSlot, into.size() - i * kSlot));
      if (slots_[i].base) store.get(*slots_[i].base, kSlot, slot);
      for (const auto& patch : slots_[i].patches) {
        const auto block = slot.subspan(patch.block * kBlock, std::min(kBlock, slot.size() - patch.block * kBlock));
        if (patch.id)
          store.get(*patch.id, kBlock, block);
        else
          std::fill(block.begin(), block.end(), std::byte{});
      }
    }
  }

 private:
  static constexpr std::size_t kSlot = 1U << 20, kBlocks = kSlot / kBlock, kMaxPatches = 4;
  struct Patch {
    std::size_t block = 0;
    MapEntry id{};
  };
  struct Slot {
    MapEntry base{};
    std::vector<Patch> patches{};
  };

  // False where there would be too many.
  bool patch(const Image& image, const Dirty& dirty, std::size_t number) {
    Slot& slot = slots_[number];
    std::vector<Patch> patches;
    for (std::size_t block = 0; block < kBlocks && number * kBlocks + block < dirty.size(); ++block) {
      const auto before = std::find_if(slot.patches.begin(), slot.patches.end(),
                                       [&](const Patch& patch) { return patch.block == block; });
      if (dirty[number * kBlocks + block])
        patches.push_back({.block = block, .id = {}});
      else if (before != slot.patches.end())
        patches.push_back(*before);
    }
    if (patches.size() > kMaxPatches) return false;
    for (auto& patch : patches) {
      if (!dirty[number * kBlocks + patch.block]) continue;
      const ByteView plain = image.read(number * kSlot + patch.block * kBlock, kBlock, bytes_read);
      if (is_zero(plain)) continue;
      patch.id = store.id(plain);
      if (!store.has(*patch.id)) store.put({*patch.id}, plain);
    }
    slot.patches = std::move(patches);
    return true;
  }

  void rebase(const Image& image, std::size_t number) {
    const ByteView plain = image.read(number * kSlot, kSlot, bytes_read);
    slots_[number] = {.base = is_zero(plain) ? MapEntry() : store.id(plain), .patches = {}};
    if (slots_[number].base && !store.has(*slots_[number].base)) store.put({*slots_[number].base}, plain);
  }

  // Entries of a page: a name, how many patches, of each its block and name.
  void put_slots() {
    std::vector<MapEntry> leaves;
    for (std::size_t at = 0; at < slots_.size(); at += kMapFanout) {
      Bytes page;
      bool zero = true;
      const auto append = [&](const MapEntry& entry) {
        const ChunkId id = entry.value_or(ChunkId());
        page.insert(page.end(), id.bytes.begin(), id.bytes.end());
        zero = zero && !entry;
      };
      for (std::size_t i = at; i < std::min(at + kMapFanout, slots_.size()); ++i) {
        append(slots_[i].base);
        page.push_back(static_cast<std::byte>(slots_[i].patches.size()));
        for (const auto& patch : slots_[i].patches) {
          page.push_back(static_cast<std::byte>(patch.block));
          append(patch.id);
        }
      }
      leaves.push_back(zero ? MapEntry() : store.put_page(page));
    }
    put_pages(store, std::move(leaves), 1);
  }

  std::vector<Slot> slots_;
};

// Chunks of 64 KiB; up to four new neighbours are compressed together and stand in one record.
class Gathered final : public Layout {
 public:
  using Layout::Layout;
  const char* name() const override { return "64 KiB ids, 256 KiB records"; }
  void forget_parent() override { chunks_.clear(); }

  void take(const Image& image, const Dirty& dirty) override {
    chunks_.resize(image.blocks());
    std::vector<ChunkId> group;
    std::size_t begin = 0;
    const auto put_group = [&](std::size_t end) {
      if (group.empty()) return;
      std::uint64_t read_already = 0;
      store.put(group, image.read(begin * kBlock, (end - begin) * kBlock, read_already));
      group.clear();
    };
    for (std::size_t i = 0; i < chunks_.size(); ++i) {
      bool added = false;
      if (dirty[i]) {
        const ByteView plain = image.read(i * kBlock, kBlock, bytes_read);
        chunks_[i] = is_zero(plain) ? MapEntry() : store.id(plain);
        added =
            chunks_[i] && !store.has(*chunks_[i]) && std::find(group.begin(), group.end(), *chunks_[i]) == group.end();
      }
      if (!added || group.size() == kTogether) put_group(i);
      if (!added) continue;
      if (group.empty()) begin = i;
      group.push_back(*chunks_[i]);
    }
    put_group(chunks_.size());
    put_pages(store, chunks_, 0);
  }

  void restore(MutableBytes into) override {
    for (std::size_t i = 0; i < chunks_.size(); ++i)
      if (chunks_[i])
        store.get(*chunks_[i], kBlock, into.subspan(i * kBlock, std::min(kBlock, into.size() - i * kBlock)));
  }

 private:
  static constexpr std::size_t kTogether = 4;
  std::vector<MapEntry> chunks_;
};

// --- the runs

class Clock {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count(); }

 private:
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

double mb(std::uint64_t bytes) { return static_cast<double>(bytes) / 1e6; }

// What a step read and stored.
struct Cost {
  double read = 0, stored = 0, seconds = 0;  // MB
};
Cost cost_of(Layout& layout, const Image& image, const Dirty& dirty) {
  const std::uint64_t read = layout.bytes_read, stored = layout.store.bytes();
  const Clock clock;
  layout.take(image, dirty);
  return {
      .read = mb(layout.bytes_read - read), .stored = mb(layout.store.bytes() - stored), .seconds = clock.seconds()};
}

// MB/s of what is not zero; the best of three.
double restore_speed(Layout& layout, const Image& image, double data_mb, MutableBytes into) {
  double took = 0;
  for (int i = 0; i < 3; ++i) {
    std::memset(into.data(), 0, into.size());
    const Clock clock;
    layout.restore(into);
    took = i == 0 ? clock.seconds() : std::min(took, clock.seconds());
  }
  if (std::memcmp(into.data(), image.all().data(), into.size()) != 0)
    throw std::runtime_error(std::string(layout.name()) + ": restored something else");
  return data_mb / took;
}

// Pages of 4 KiB in places all over what is not zero, as a database writes them.
Dirty scatter_writes(Image& image, const std::vector<std::size_t>& data_blocks, std::mt19937_64& random) {
  Dirty dirty(image.blocks());
  for (int i = 0; i < 2000; ++i) {
    const std::size_t block = data_blocks[random() % data_blocks.size()];
    const std::size_t offset = block * kBlock + random() % 16 * 4096;
    if (offset + 4096 > image.size()) continue;
    for (std::size_t word = 0; word < 4096; word += 16) {  // half of it compresses
      const std::uint64_t noise = random();
      std::memcpy(image.data() + offset + word, &noise, sizeof(noise));
    }
    dirty[block] = true;
  }
  return dirty;
}

void measure(Layout& layout, const std::string& directory) {
  Image g2(directory + "/G2.raw");
  std::array<Cost, 3> nights;
  {
    const Image g0(directory + "/G0.raw"), g1(directory + "/G1.raw");
    nights = {cost_of(layout, g0, data_of(g0)), cost_of(layout, g1, difference(g0, g1)),
              cost_of(layout, g2, difference(g1, g2))};
  }
  const Dirty data = data_of(g2);
  std::vector<std::size_t> data_blocks;
  for (std::size_t i = 0; i < data.size(); ++i)
    if (data[i]) data_blocks.push_back(i);
  const double data_mb = mb(data_blocks.size() * kBlock);
  Bytes restored(g2.size());
  const double speed = restore_speed(layout, g2, data_mb, restored);

  // The same days of writes for each layout; then the clones, of whose disks nothing was known.
  std::mt19937_64 random(1);
  Cost days;
  constexpr int kDays = 7;
  const std::size_t ids_before = layout.store.ids();
  for (int day = 0; day < kDays; ++day) {
    const Cost cost = cost_of(layout, g2, scatter_writes(g2, data_blocks, random));
    days.read += cost.read / kDays;
    days.stored += cost.stored / kDays;
  }
  const double scattered_speed = restore_speed(layout, g2, data_mb, restored);
  const std::size_t ids_of_days = layout.store.ids() - ids_before;
  std::array<Cost, 3> clones;
  for (std::size_t i = 0; i < clones.size(); ++i) {
    const Image clone(directory + "/C" + std::to_string(i + 1) + ".raw");
    layout.forget_parent();
    clones[i] = cost_of(layout, clone, data_of(clone));
  }
  const double images_mb =
      nights[0].stored + nights[1].stored + nights[2].stored + clones[0].stored + clones[1].stored + clones[2].stored;
  const double index_mb = mb((layout.store.ids() - ids_of_days) * kIndexEntryBytes);
  fmt::print(
      "| {} | {:.1f} | {:.1f} | {:.1f} / {:.1f} | {:.1f} / {:.1f} | {:.1f} | {:.1f} / {:.1f} | {:.2f} | {:.0f} | "
      "{:.0f} "
      "| {:.0f} |\n",
      layout.name(), nights[0].stored, nights[0].seconds, nights[1].read, nights[1].stored, nights[2].read,
      nights[2].stored, images_mb, days.read, days.stored, index_mb,
      static_cast<double>(layout.store.ids() - ids_of_days) / data_mb * 1.1e6 * kIndexEntryBytes / 1e6, speed,
      scattered_speed);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fputs("usage: bench-backup-layouts DIR [LEVEL]\n", stderr);
    return 2;
  }
  try {
    const std::string directory = argv[1];
    const int level = argc == 3 ? std::stoi(argv[2]) : 1;
    fmt::print(
        "| layout | G0: MB | s | G1: MB read / stored | G2: MB read / stored | six images: MB | scattered day: MB read "
        "/ "
        "stored | index: MB | MB per TiB | restore of G2: MB/s | after seven scattered days |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (const std::size_t chunk_kib : {256U, 64U}) measure(*std::make_unique<Plain>(level, chunk_kib), directory);
    measure(*std::make_unique<Patched>(level), directory);
    measure(*std::make_unique<Gathered>(level), directory);
  } catch (const std::exception& e) {
    fmt::print(stderr, "bench-backup-layouts: {}\n", e.what());
    return 1;
  }
}
