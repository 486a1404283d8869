// Everything of a repository that is read before anybody's signature is known to be good: whatever the bytes, they are
// understood or an error, and what is understood lies within them.
#include <cstdint>
#include <stdexcept>
#include <string_view>

#include "backup/config.h"
#include "backup/document.h"
#include "backup/key_slot.h"
#include "backup/map_page.h"
#include "backup/pack.h"
#include "backup/record.h"
#include "base/error.h"

namespace {

using namespace muster;
using namespace muster::backup;

template <typename Work>
void tolerate(Work work) {
  try {
    work();
  } catch (const base::Error&) {
    // That is an answer.
  }
}

void check_places(const PackContents& contents, std::size_t size) {
  for (const auto& place : contents.places)
    if (std::uint64_t{place.offset} + place.record_bytes > size) throw std::logic_error("a record outside of its pack");
}

void parse_pack(base::ByteView bytes) {
  ObjectId repository, pack;
  if (bytes.size() >= 40) {
    std::memcpy(repository.bytes.data(), bytes.data() + 8, 16);
    std::memcpy(pack.bytes.data(), bytes.data() + 24, 16);
  }
  tolerate([&] { check_places(scan_pack(repository, pack, bytes).contents, bytes.size()); });
  tolerate([&] { check_places(parse_pack_table(repository, pack, bytes), bytes.size()); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
  if (const auto header = read_record(bytes); header && header->record_bytes() > size)
    throw std::logic_error("a record longer than its bytes");
  parse_pack(bytes);
  tolerate([&] { decode_config(bytes); });
  tolerate([&] {
    const MapPage page = decode_map_page(bytes);
    const auto again = encode_map_page(page.level, page.entries);
    if (!std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()))
      throw std::logic_error("a map page that is written in two ways");
  });
  tolerate([&] { KeySlot({}, {}, bytes); });
  tolerate([&] { decode_credential(bytes); });
  tolerate([&] { parse_key_file(base::as_text(bytes), "f"); });
  tolerate([&] { parse_recovery_text(base::as_text(bytes)); });
  tolerate([&] { open_document({.name = "x", .repository = {}, .kind = DocumentKind::point}, bytes, {}); });
  return 0;
}
