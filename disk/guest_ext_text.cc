#include "disk/guest_ext_text.h"

#include <charconv>
#include <cstring>

#include "base/bytes.h"
#include "base/error.h"

namespace muster::disk {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kRowBytes = 16, kInodeBytes = 256;
constexpr std::string_view kPrompt = "debugfs: ";

// Takes what is before `end` off the front of `text`.
std::string_view take_until(std::string_view& text, char end) {
  const std::size_t at = text.find(end);
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return taken;
}

template <typename Number>
Number number_in(std::string_view digits, int base) {
  Number number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  if (error != std::errc() || end != digits.data() + digits.size())
    throw Error(Code::corrupt, "debugfs's answer makes no sense: '" + std::string(digits.substr(0, 40)) + "'");
  return number;
}

using Row = std::array<std::byte, kRowBytes>;

// `ffa1 0000 ...` after the offset: groups of two bytes, in their order.
Row parse_row(std::string_view groups) {
  Row row{};
  for (std::size_t i = 0; i < kRowBytes; i += 2) {
    const auto pair = number_in<std::uint16_t>(take_until(groups, ' '), 16);
    row[i] = static_cast<std::byte>(pair >> 8);
    row[i + 1] = static_cast<std::byte>(pair & 0xff);
  }
  return row;
}

// The bytes of a dump, whose equal rows are left out.
std::array<std::byte, kInodeBytes> parse_dump(std::string_view dump) {
  std::array<std::byte, kInodeBytes> bytes{};
  std::size_t reached = 0;
  Row row{};
  bool repeated = false;
  const auto put_until = [&](std::size_t end) {
    for (; reached < end && reached + kRowBytes <= kInodeBytes; reached += kRowBytes)
      std::memcpy(&bytes[reached], row.data(), kRowBytes);
  };
  while (!dump.empty()) {
    std::string_view line = take_until(dump, '\n');
    if (line.empty()) break;
    repeated = line == "*";
    if (repeated) continue;
    const auto offset = number_in<std::size_t>(take_until(line, ' '), 8);
    if (offset >= kInodeBytes) break;
    put_until(offset);
    line.remove_prefix(std::min<std::size_t>(1, line.size()));
    row = parse_row(line);
    put_until(offset + kRowBytes);
  }
  if (repeated && reached > 0) put_until(kInodeBytes);
  if (reached < kInodeBytes / 2) throw Error(Code::corrupt, "debugfs shows no inode");
  return bytes;
}

}  // namespace

ExtInode parse_ext_inode(std::string_view dump) {
  const auto bytes = parse_dump(dump);
  const auto at = [&](std::size_t offset) { return base::ByteReader(base::ByteView(bytes).subspan(offset), "inode"); };
  ExtInode inode{.mode = at(0x00).u16(),
                 .uid = at(0x02).u16() | std::uint32_t{at(0x78).u16()} << 16,
                 .gid = at(0x18).u16() | std::uint32_t{at(0x7A).u16()} << 16,
                 .flags = at(0x20).u32(),
                 .size_bytes = at(0x04).u32(),
                 .modified = {},
                 .blocks = at(0x28).array<60>()};
  // Of others than files and directories these bits mean something else.
  if (inode.type() == GuestFileType::file || inode.type() == GuestFileType::directory)
    inode.size_bytes |= std::uint64_t{at(0x6C).u32()} << 32;
  std::int64_t seconds = static_cast<std::int32_t>(at(0x10).u32());
  constexpr std::uint16_t kWithExtraTime = 12;
  if (at(0x80).u16() >= kWithExtraTime) seconds += std::int64_t{at(0x88).u32() & 3} << 32;
  inode.modified = std::chrono::sys_seconds(std::chrono::seconds(seconds));
  return inode;
}

// `/INODE/MODE/UID/GID/NAME/SIZE/`: a name may have a newline in it, and never a slash.
std::vector<ExtName> parse_ext_directory(std::string_view text) {
  std::vector<ExtName> names;
  while (text.starts_with('/')) {
    text.remove_prefix(1);
    const auto inode = number_in<std::uint32_t>(take_until(text, '/'), 10);
    for (int skipped = 0; skipped < 3; ++skipped) take_until(text, '/');
    const std::string_view name = take_until(text, '/');
    take_until(text, '/');
    if (!text.starts_with('\n')) throw Error(Code::corrupt, "debugfs's list of a directory makes no sense");
    text.remove_prefix(1);
    if (inode != 0 && !name.empty() && name != "." && name != "..") names.push_back({inode, std::string(name)});
  }
  return names;
}

std::vector<std::string_view> split_ext_answers(std::string_view text, std::size_t count) {
  std::vector<std::string_view> answers;
  while (text.starts_with(kPrompt)) {
    take_until(text, '\n');
    const std::size_t next = text.starts_with(kPrompt) ? 0 : text.find("\n" + std::string(kPrompt));
    const std::size_t end = next == std::string_view::npos ? text.size() : next == 0 ? 0 : next + 1;
    answers.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  if (answers.size() != count) throw Error(Code::corrupt, "debugfs gives too many answers, or too few");
  return answers;
}

std::string ext_complaint(std::string_view text) {
  if (text.starts_with("debugfs ")) text.remove_prefix(std::min(text.size(), text.find(')') + 1));
  while (text.starts_with(';') || text.starts_with(' ')) text.remove_prefix(1);
  return std::string(text);
}

}  // namespace muster::disk
