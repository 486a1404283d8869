#include "backup/area_item.h"

#include <algorithm>

#include "archive/tar_reader.h"
#include "backup/record.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using archive::Entry;
using archive::EntryType;
using base::ByteReader;
using base::ByteWriter;

// Numbers of the format: types as in EntryType, from 1.
constexpr std::uint8_t kContinues = 8, kLastType = 7;
constexpr std::uint8_t kHasChanged = 1;
constexpr std::uint8_t kHole = 0, kNamed = 1;

[[noreturn]] void reject() { throw base::Error(base::Code::corrupt, "an entry of a listing makes no sense"); }

int rank(char c) {
  if (c == '/') return 0;
  return static_cast<unsigned char>(c == '\n' ? '/' : c);
}

void write_text(ByteWriter& write, std::string_view text) {
  write.u16(static_cast<std::uint16_t>(text.size()));
  write.raw(base::as_bytes(text));
}

// Texts go to calls that end them at a zero byte.
std::string read_text(ByteReader& read) {
  const std::size_t size = read.u16();
  std::string text(base::as_text(read.raw(size)));
  if (size > archive::kMaxPathBytes || text.find('\0') != std::string::npos) reject();
  return text;
}

void write_time(ByteWriter& write, const archive::Timestamp& time) {
  write.u64(static_cast<std::uint64_t>(time.seconds));
  write.u32(time.nanoseconds);
}

archive::Timestamp read_time(ByteReader& read) {
  archive::Timestamp time{.seconds = static_cast<std::int64_t>(read.u64()), .nanoseconds = read.u32()};
  if (time.nanoseconds > 999'999'999) reject();
  return time;
}

void write_pieces(ByteWriter& write, const std::vector<Piece>& pieces) {
  write.u16(static_cast<std::uint16_t>(pieces.size()));
  for (const auto& piece : pieces) {
    write.u8(piece.chunk ? kNamed : kHole);
    write.u64(piece.length);
    if (piece.chunk) write.raw(piece.chunk->view());
  }
}

std::vector<Piece> read_pieces(ByteReader& read) {
  std::vector<Piece> pieces(read.u16());
  if (pieces.size() > kMaxItemPieces) reject();
  for (auto& piece : pieces) {
    const std::uint8_t kind = read.u8();
    piece.length = read.u64();
    if (piece.length == 0 || (kind == kNamed && piece.length > kMaxPlainBytes)) reject();
    if (kind == kNamed)
      piece.chunk = ChunkId{read.array<32>()};
    else if (kind != kHole)
      reject();
  }
  return pieces;
}

void write_facts(ByteWriter& write, const AreaItem& item) {
  const Entry& entry = item.entry;
  write.u8(entry.changed ? kHasChanged : std::uint8_t{0});
  write.u16(entry.mode);
  write.u32(entry.uid);
  write.u32(entry.gid);
  write.u64(entry.size_bytes);
  write_time(write, entry.modified);
  write_time(write, entry.changed.value_or(archive::Timestamp()));
  write.u64(item.inode);
  write.u32(entry.device_major);
  write.u32(entry.device_minor);
  write_text(write, entry.user);
  write_text(write, entry.group);
  write_text(write, entry.target);
  write.u16(static_cast<std::uint16_t>(entry.xattrs.size()));
  for (const auto& xattr : entry.xattrs) {
    write_text(write, xattr.name);
    write.u32(static_cast<std::uint32_t>(xattr.value.size()));
    write.raw(xattr.value);
  }
}

void read_facts(ByteReader& read, AreaItem& item) {
  Entry& entry = item.entry;
  const std::uint8_t flags = read.u8();
  if (flags > kHasChanged) reject();
  entry.mode = read.u16();
  if (entry.mode > 07777) reject();
  entry.uid = read.u32();
  entry.gid = read.u32();
  entry.size_bytes = read.u64();
  entry.modified = read_time(read);
  const auto changed = read_time(read);
  if (flags == kHasChanged) entry.changed = changed;
  item.inode = read.u64();
  entry.device_major = read.u32();
  entry.device_minor = read.u32();
  entry.user = read_text(read);
  entry.group = read_text(read);
  entry.target = read_text(read);
  if (entry.type == EntryType::hard_link && !is_area_path(entry.target)) reject();
  entry.xattrs.resize(std::min<std::size_t>(read.u16(), archive::kMaxXattrs));
  for (auto& xattr : entry.xattrs) {
    xattr.name = read_text(read);
    const base::ByteView value = read.raw(read.u32());
    xattr.value.assign(value.begin(), value.end());
  }
}

}  // namespace

int compare_paths(std::string_view a, std::string_view b) {
  const auto [left, right] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (left != a.end() && right != b.end()) return rank(*left) - rank(*right);
  return a.size() == b.size() ? 0 : a.size() < b.size() ? -1 : 1;
}

bool is_area_path(std::string_view path) {
  if (path.empty()) return true;
  if (path.size() > archive::kMaxPathBytes || path.find('\0') != std::string_view::npos) return false;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    if (part.empty() || part == "." || part == "..") return false;
    at = end + 1;
  }
  return true;
}

void encode_item(ByteWriter& write, const AreaItem& item) {
  write.u8(item.continues ? kContinues : static_cast<std::uint8_t>(static_cast<std::uint8_t>(item.entry.type) + 1));
  write_text(write, item.entry.path);
  if (!item.continues) write_facts(write, item);
  write_pieces(write, item.pieces);
}

AreaItem decode_item(ByteReader& read) {
  AreaItem item;
  const std::uint8_t type = read.u8();
  if (type == 0 || type > kContinues) reject();
  item.continues = type == kContinues;
  if (type <= kLastType) item.entry.type = static_cast<EntryType>(type - 1);
  item.entry.path = read_text(read);
  if (!is_area_path(item.entry.path)) reject();
  if (!item.continues) read_facts(read, item);
  item.pieces = read_pieces(read);
  return item;
}

}  // namespace muster::backup
