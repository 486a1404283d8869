// What a machine sends of its files, and what a listing says of them: whatever the bytes, they are understood or an
// error, and nothing that is understood leads out of its area.
#include <cstdint>
#include <stdexcept>
#include <utility>

#include "archive/tar_reader.h"
#include "backup/area_page.h"
#include "backup/area_scan.h"
#include "base/error.h"

namespace {

using namespace muster;

template <typename Work>
void tolerate(Work work) {
  try {
    work();
  } catch (const base::Error&) {
    // That is an answer.
  }
}

// All of it, then its end.
auto once(base::ByteView bytes) {
  return [bytes, given = false]() mutable { return std::exchange(given, true) ? base::ByteView() : bytes; };
}

void check_path(const std::string& path) {
  if (!backup::is_area_path(path)) throw std::logic_error("a path that leads out");
}

void read_archive(base::ByteView bytes) {
  archive::TarReader tar(once(bytes));
  while (const auto entry = tar.next()) {
    std::uint64_t end = 0;
    while (const auto block = tar.next_block()) {
      if (block->offset < end || block->offset + block->bytes.size() > entry->size_bytes)
        throw std::logic_error("bytes beyond their file");
      end = block->offset + block->bytes.size();
    }
  }
}

void read_scan(base::ByteView bytes) {
  backup::ScanReader scan(once(bytes));
  scan.began();
  while (const auto file = scan.next()) check_path(file->path);
}

void read_page(base::ByteView bytes) {
  for (const auto& item : backup::decode_area_page(bytes).items) {
    check_path(item.entry.path);
    if (item.entry.type == archive::EntryType::hard_link) check_path(item.entry.target);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
  tolerate([&] { read_archive(bytes); });
  tolerate([&] { read_scan(bytes); });
  tolerate([&] { read_page(bytes); });
  return 0;
}
