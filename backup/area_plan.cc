#include "backup/area_plan.h"

#include <algorithm>

#include "base/error.h"

namespace muster::backup {
namespace {

using archive::EntryType;
using base::Context;

constexpr std::size_t kPieceBytes = 256U << 10;
constexpr std::size_t kHeadBytes = 1 + 8 + 8 + 2;
constexpr std::uint8_t kUnchanged = 1, kManyNames = 2;

bool is_of_type(const archive::Entry& entry, char type) {
  switch (entry.type) {
    case EntryType::directory:
      return type == 'd';
    case EntryType::file:
    case EntryType::hard_link:
      return type == 'f';
    case EntryType::symlink:
      return type == 'l';
    case EntryType::fifo:
      return type == 'p';
    case EntryType::character_device:
      return type == 'c';
    case EntryType::block_device:
      return type == 'b';
  }
  return false;
}

bool is_unchanged(const AreaItem& before, const ScannedFile& now) {
  const auto& entry = before.entry;
  return is_of_type(entry, now.type) && entry.changed == now.changed && entry.modified == now.modified &&
         before.inode == now.inode && (entry.type != EntryType::file || entry.size_bytes == now.size_bytes);
}

bool is_lost(const AreaItem& item, const Index& index) {
  return index.knows_of_damage() && std::any_of(item.pieces.begin(), item.pieces.end(), [&](const Piece& piece) {
           return piece.chunk && index.is_damaged(*piece.chunk);
         });
}

}  // namespace

void AreaPlan::add(const ScannedFile& file, bool unchanged) {
  ++counts_.entries;
  const bool many = file.type == 'f' && file.links > 1;
  const bool first = !many || many_names_.emplace(file.device, file.inode).second;
  const std::uint64_t bytes = file.type == 'f' && first ? file.size_bytes : 0;
  counts_.size_bytes += bytes;
  counts_.unchanged += unchanged ? 1 : 0;
  base::Bytes head;
  base::ByteWriter write(head);
  write.u8(static_cast<std::uint8_t>((unchanged ? kUnchanged : 0) | (many ? kManyNames : 0)));
  write.u64(file.inode);
  write.u64(file.device);
  write.u16(static_cast<std::uint16_t>(file.path.size()));
  pending_ += base::as_text(head);
  pending_ += file.path;
  if (!unchanged) {
    counts_.sent_bytes += bytes;
    // Names of options begin with a dash, those of files must not.
    pending_names_ += file.path.empty() ? "." : "./" + file.path;
    pending_names_ += '\0';
  }
  if (pending_.size() < kPieceBytes) return;
  files_.append(pending_);
  names_.append(pending_names_);
  pending_.clear();
  pending_names_.clear();
}

void AreaPlan::fill(const Context& ctx, ScanReader& scan, AreaCursor* parent, const Index& index) {
  std::optional<AreaItem> before = parent != nullptr ? parent->next(ctx) : std::nullopt;
  while (const auto file = scan.next()) {
    if (std::string_view("fdlpcb").find(file->type) == std::string_view::npos) {
      ++counts_.skipped;
      continue;
    }
    while (before && compare_paths(before->entry.path, file->path) < 0) before = parent->next(ctx);
    const bool there = before && before->entry.path == file->path;
    add(*file, there && is_unchanged(*before, *file) && !is_lost(*before, index));
  }
  files_.append(pending_);
  names_.append(pending_names_);
  files_.close();
  names_.close();
}

void AreaPlan::Reader::fill(std::size_t bytes) {
  if (held_.size() - at_ >= bytes) return;
  held_.erase(0, at_);
  at_ = 0;
  while (held_.size() < bytes) {
    const std::string more = source_->read(offset_, kPieceBytes);
    if (more.empty()) return;
    offset_ += more.size();
    held_ += more;
  }
}

std::optional<PlannedFile> AreaPlan::Reader::next() {
  fill(kHeadBytes);
  if (held_.size() == at_) return std::nullopt;
  base::ByteReader head(base::as_bytes(std::string_view(held_).substr(at_, kHeadBytes)), "plan of an area");
  const std::uint8_t flags = head.u8();
  PlannedFile file{.unchanged = (flags & kUnchanged) != 0,
                   .inode = head.u64(),
                   .device = head.u64(),
                   .many_names = (flags & kManyNames) != 0,
                   .path = {}};
  const std::size_t size = head.u16();
  fill(kHeadBytes + size);
  file.path = held_.substr(at_ + kHeadBytes, size);
  at_ += kHeadBytes + size;
  return file;
}

}  // namespace muster::backup
