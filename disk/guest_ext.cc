#include "disk/guest_ext.h"

#include <algorithm>
#include <array>
#include <deque>
#include <fstream>

#include <fmt/format.h>

#include "base/error.h"
#include "disk/guest_program.h"
#include "disk/scratch_file.h"

namespace muster::disk {
namespace {

using base::Code;
using base::Context;
using base::Error;

constexpr std::uint32_t kRootInode = 2;
constexpr int kMaxLinks = 40;  // as Linux follows them
constexpr std::size_t kMaxTargetBytes = 4096;
constexpr std::size_t kDirectoryBytes = 256U << 20, kBatch = 1024, kInodeTextBytes = 32U << 10;

std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from < path.size();) {
    const std::size_t end = std::min(path.find('/', from), path.size());
    if (end > from && path.compare(from, end - from, ".") != 0) parts.push_back(path.substr(from, end - from));
    from = end + 1;
  }
  return parts;
}

GuestProgram debugfs(const std::string& name, std::vector<std::string> words, const std::string& device) {
  words.insert(words.begin(), {"debugfs", "-c"});
  words.push_back(device);
  return {.action = "look into " + name, .argv = std::move(words), .package = "e2fsprogs"};
}

}  // namespace

std::string ext_device(const GuestImage& image, ByteRange range) {
  return fmt::format("{}?offset={}", image.path(), range.offset);
}

ExtFiles::ExtFiles(const GuestImage& image, ByteRange range, std::string name)
    : image_(image), range_(range), device_(ext_device(image, range)), name_(std::move(name)) {}

// 32 bits of it (https://docs.kernel.org/filesystems/ext4/super.html); 0 where they cannot be read.
std::uint32_t ExtFiles::in_super_block(std::uint64_t offset) const {
  std::ifstream file(image_.path(), std::ios::binary);
  file.seekg(static_cast<std::streamoff>(range_.offset + 1024 + offset));
  std::array<char, 4> bytes{};
  file.read(bytes.data(), bytes.size());
  std::uint32_t value = 0;
  for (std::size_t i = bytes.size(); file.good() && i > 0; --i)
    value = value << 8 | static_cast<unsigned char>(bytes[i - 1]);
  return value;
}

bool ExtFiles::needs_recovery() const {
  constexpr std::uint64_t kIncompatible = 0x60;  // s_feature_incompat
  constexpr std::uint32_t kRecover = 4;
  return (in_super_block(kIncompatible) & kRecover) != 0;
}

// https://docs.kernel.org/filesystems/ext4/super.html, s_feature_incompat and s_feature_ro_compat.
bool ExtFiles::is_known() const {
  constexpr std::uint64_t kIncompatible = 0x60, kReadOnly = 0x64;
  // filetype, recover, extents, 64bit, flex_bg, meta_bg, csum_seed, largedir, ea_inode, casefold
  constexpr std::uint32_t kKnownIncompatible =
      0x2 | 0x4 | 0x40 | 0x80 | 0x200 | 0x10 | 0x2000 | 0x4000 | 0x400 | 0x20000;
  // sparse_super, large_file, huge_file, gdt_csum, dir_nlink, extra_isize, metadata_csum, bigalloc, orphan_present
  constexpr std::uint32_t kKnownReadOnly = 0x1 | 0x2 | 0x8 | 0x10 | 0x20 | 0x40 | 0x400 | 0x200 | 0x10000;
  return (in_super_block(kIncompatible) & ~kKnownIncompatible) == 0 &&
         (in_super_block(kReadOnly) & ~kKnownReadOnly) == 0;
}

bool ExtFiles::is_clean() const {
  constexpr std::uint64_t kState = 0x3A, kLastOrphan = 0xE8;
  constexpr std::uint32_t kClean = 1;
  return (in_super_block(kState) & 0xffff) == kClean && in_super_block(kLastOrphan) == 0 && !needs_recovery();
}

// What a command says. All of debugfs's errors are found on standard error alone.
std::string ExtFiles::ask(const Context& ctx, const std::vector<std::string>& words, std::size_t most_bytes) {
  const auto program = debugfs(name_, words, device_);
  auto output = run_guest_program(ctx, program, most_bytes);
  const std::string complaint = ext_complaint(output.end.complaint);
  if (output.end.code != 0 || !complaint.empty()) throw Error(Code::corrupt, program.action + ": " + complaint);
  return std::move(output.text);
}

std::vector<ExtName> ExtFiles::names_in(const Context& ctx, std::uint32_t directory) {
  return parse_ext_directory(ask(ctx, {"-R", fmt::format("ls -p <{}>", directory)}, kDirectoryBytes));
}

std::vector<ExtInode> ExtFiles::inodes(const Context& ctx, std::span<const std::uint32_t> numbers) {
  std::vector<ExtInode> all;
  for (; !numbers.empty(); numbers = numbers.subspan(std::min(kBatch, numbers.size()))) {
    const auto batch = numbers.first(std::min(kBatch, numbers.size()));
    const std::string commands = image_.directory() + "/commands";
    std::string lines;
    for (const auto number : batch) lines += fmt::format("inode_dump <{}>\n", number);
    write_scratch(commands, lines);
    const std::string text = ask(ctx, {"-f", commands}, batch.size() * kInodeTextBytes);
    for (const auto& answer : split_ext_answers(text, batch.size())) all.push_back(parse_ext_inode(answer));
  }
  return all;
}

void ExtFiles::read_inode(const Context& ctx, std::uint32_t number, const GuestSink& sink) {
  const auto program = debugfs(name_, {"-R", fmt::format("cat <{}>", number)}, device_);
  const auto end = run_guest_program(ctx, program, [&](std::string_view piece) { sink(base::as_bytes(piece)); });
  const std::string complaint = ext_complaint(end.complaint);
  if (end.code != 0 || !complaint.empty()) throw Error(Code::corrupt, program.action + ": " + complaint);
}

std::string ExtFiles::target_of(const Context& ctx, std::uint32_t number, const ExtInode& inode) {
  if ((inode.flags & ExtInode::kEncrypted) != 0) throw Error(Code::unsupported, name_ + ": a link is encrypted");
  if (inode.size_bytes > kMaxTargetBytes) throw Error(Code::corrupt, name_ + ": a link has an impossible target");
  if (inode.size_bytes < inode.blocks.size() && (inode.flags & ExtInode::kInlineData) == 0)
    return std::string(base::as_text(base::ByteView(inode.blocks).first(inode.size_bytes)));
  std::string target;
  read_inode(ctx, number, [&](base::ByteView piece) { target += base::as_text(piece); });
  return target.substr(0, inode.size_bytes);
}

// A path being followed, as far as it was found.
class ExtFiles::Walk {
 public:
  Walk(std::string what, const std::string& path, Found root) : what_(std::move(what)), found_{std::move(root)} {
    follow(path);
  }

  // The next name of the path, to be looked for in found(); nullopt at the path's end.
  std::optional<std::string> next() {
    while (!left_.empty()) {
      std::string part = std::move(left_.front());
      left_.pop_front();
      if (part != "..") return part;
      if (found_.size() > 1) found_.pop_back();
    }
    return std::nullopt;
  }
  bool at_end() const { return left_.empty(); }
  const Found& found() const { return found_.back(); }
  const Found& directory() const { return found_[found_.size() < 2 ? 0 : found_.size() - 2]; }
  void enter(Found found) { found_.push_back(std::move(found)); }
  void follow_link(const std::string& target) {
    if (++links_ > kMaxLinks) throw Error(Code::usage, what_ + ": too many links");
    if (target.starts_with('/')) found_.resize(1);
    follow(target);
  }

 private:
  void follow(const std::string& path) {
    const auto parts = parts_of(path);
    left_.insert(left_.begin(), parts.begin(), parts.end());
  }

  std::string what_;
  std::deque<std::string> left_;
  std::vector<Found> found_;  // from the root on
  int links_ = 0;
};

const std::vector<ExtName>& ExtFiles::known_names(const Context& ctx, std::uint32_t directory) {
  const auto known = names_.find(directory);
  return known != names_.end() ? known->second : names_.emplace(directory, names_in(ctx, directory)).first->second;
}

const ExtInode& ExtFiles::known_inode(const Context& ctx, std::uint32_t number) {
  const std::array numbers{number};
  const auto known = inodes_.find(number);
  return known != inodes_.end() ? known->second : inodes_.emplace(number, inodes(ctx, numbers).front()).first->second;
}

void ExtFiles::forget() {
  names_.clear();
  inodes_.clear();
}

std::optional<ExtFiles::Place> ExtFiles::locate(const Context& ctx, const std::string& path, LastLink last_link) {
  check_guest_path(name_, path);
  Walk walk(name_ + ":" + path, path, {kRootInode, known_inode(ctx, kRootInode), "/"});
  while (const auto part = walk.next()) {
    if (walk.found().inode.type() != GuestFileType::directory) return std::nullopt;
    const auto& names = known_names(ctx, walk.found().number);
    const auto known = std::find_if(names.begin(), names.end(), [&](const ExtName& n) { return n.name == *part; });
    if (known == names.end())
      return walk.at_end() ? std::optional(Place{walk.found().number, *part, std::nullopt}) : std::nullopt;
    Found found{known->inode, known_inode(ctx, known->inode), known->name};
    const bool kept = walk.at_end() && last_link == LastLink::kept;
    if (found.inode.type() == GuestFileType::link && !kept)
      walk.follow_link(target_of(ctx, found.number, found.inode));
    else
      walk.enter(std::move(found));
  }
  return Place{walk.directory().number, walk.found().name, walk.found()};
}

ExtFiles::Found ExtFiles::find(const Context& ctx, const std::string& path) {
  if (auto place = locate(ctx, path); place && place->found) return std::move(*place->found);
  throw Error(Code::not_found, name_ + ":" + path + ": no such file or directory");
}

GuestEntry ExtFiles::entry_of(const Context& ctx, const Found& found) {
  const ExtInode& inode = found.inode;
  GuestEntry entry{.name = found.name,
                   .type = inode.type(),
                   .size_bytes = inode.size_bytes,
                   .mode = inode.mode & 07777U,
                   .uid = inode.uid,
                   .gid = inode.gid,
                   .modified = inode.modified};
  if (entry.type == GuestFileType::link) entry.target = target_of(ctx, found.number, inode);
  return entry;
}

std::vector<GuestEntry> ExtFiles::list(const Context& ctx, const std::string& path) {
  const Found found = find(ctx, path);
  if (found.inode.type() != GuestFileType::directory) return {entry_of(ctx, found)};
  auto names = names_in(ctx, found.number);
  std::sort(names.begin(), names.end(), [](const ExtName& a, const ExtName& b) { return a.name < b.name; });
  std::vector<std::uint32_t> numbers;
  for (const auto& name : names) numbers.push_back(name.inode);
  const auto all = inodes(ctx, numbers);
  std::vector<GuestEntry> entries;
  for (std::size_t i = 0; i < all.size(); ++i) entries.push_back(entry_of(ctx, {numbers[i], all[i], names[i].name}));
  return entries;
}

void ExtFiles::read(const Context& ctx, const std::string& path, const GuestSink& sink) {
  const Found found = find(ctx, path);
  const std::string what = name_ + ":" + path;
  if (found.inode.type() == GuestFileType::directory) throw Error(Code::usage, what + ": is a directory");
  if (found.inode.type() != GuestFileType::file) throw Error(Code::usage, what + ": is no regular file");
  if ((found.inode.flags & ExtInode::kEncrypted) != 0) throw Error(Code::unsupported, what + ": is encrypted");
  std::uint64_t count = 0;
  read_inode(ctx, found.number, [&](base::ByteView piece) {
    count += piece.size();
    sink(piece);
  });
  if (count != found.inode.size_bytes)
    throw Error(Code::corrupt, fmt::format("{}: {} bytes of {} can be read", what, count, found.inode.size_bytes));
}

bool ExtFiles::is_file(const Context& ctx, const std::string& path) {
  const auto place = locate(ctx, path);
  return place && place->found && place->found->inode.type() == GuestFileType::file;
}

}  // namespace muster::disk
