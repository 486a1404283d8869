#include "backup/area_page.h"

#include "base/error.h"

namespace muster::backup {
namespace {

constexpr std::string_view kPageMagic = "mlst";
constexpr std::uint8_t kPageVersion = 1;

[[noreturn]] void reject() { throw base::Error(base::Code::corrupt, "a page of a listing makes no sense"); }

void check_order(const std::string& before, const AreaItem& item) {
  const auto order = compare_paths(before, item.entry.path);
  if (item.continues ? order != 0 : order >= 0) reject();
}

}  // namespace

base::Bytes encode_area_page(std::uint8_t level, std::uint32_t count, base::ByteView entries) {
  base::Bytes bytes;
  base::ByteWriter write(bytes);
  write.raw(base::as_bytes(kPageMagic));
  write.u8(kPageVersion);
  write.u8(level);
  write.u16(0);
  write.u32(count);
  write.raw(entries);
  return bytes;
}

void encode_child(base::ByteWriter& write, const AreaChild& child) {
  write.raw(child.page.view());
  write.u16(static_cast<std::uint16_t>(child.first_path.size()));
  write.raw(base::as_bytes(child.first_path));
}

AreaPage decode_area_page(base::ByteView bytes) {
  base::ByteReader read(bytes, "page of a listing");
  if (base::as_text(read.raw(kPageMagic.size())) != kPageMagic || read.u8() != kPageVersion) reject();
  AreaPage page{.level = read.u8()};
  read.u16();
  const std::uint32_t count = read.u32();
  if (page.level > kMaxAreaLevel || count == 0) reject();
  for (std::uint32_t i = 0; i < count; ++i) {
    if (page.level == 0) {
      page.items.push_back(decode_item(read));
      if (i > 0) check_order(page.items[i - 1].entry.path, page.items[i]);
    } else {
      AreaChild child{.page = ChunkId{read.array<32>()}, .first_path = {}};
      child.first_path = base::as_text(read.raw(read.u16()));
      // Of two pages that share a file's pieces both begin with its path.
      if (i > 0 && compare_paths(page.children.back().first_path, child.first_path) > 0) reject();
      page.children.push_back(std::move(child));
    }
  }
  read.expect_end();
  return page;
}

}  // namespace muster::backup
