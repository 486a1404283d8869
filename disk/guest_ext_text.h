// What e2fsprogs' debugfs writes, as values. Pure functions: the text is of a program that read what a guest wrote.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "disk/guest_file_system.h"

namespace muster::disk {

// An inode as far as it is looked at (https://docs.kernel.org/filesystems/ext4/inodes.html).
struct ExtInode {
  static constexpr std::uint32_t kEncrypted = 0x800, kInlineData = 0x1000'0000;

  std::uint32_t mode = 0, uid = 0, gid = 0, flags = 0;
  std::uint64_t size_bytes = 0;
  std::chrono::sys_seconds modified;
  std::array<std::byte, 60> blocks{};  // a short link's target, among other things

  GuestFileType type() const { return guest_file_type(mode); }
};
// As `inode_dump` writes it. Throws Error{corrupt}.
ExtInode parse_ext_inode(std::string_view dump);

struct ExtName {
  std::uint32_t inode = 0;
  std::string name;
};
// A directory as `ls -p` writes it. Throws Error{corrupt}.
std::vector<ExtName> parse_ext_directory(std::string_view text);

// The answers to commands out of a file, of which each is written before what came of it. Throws Error{corrupt}.
std::vector<std::string_view> split_ext_answers(std::string_view text, std::size_t count);

// What it complains of, without the line it always writes.
std::string ext_complaint(std::string_view text);

}  // namespace muster::disk
