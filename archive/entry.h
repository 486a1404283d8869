// One file as an archive or a backup has it: everything but its bytes. A value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace muster::archive {

enum class EntryType : std::uint8_t { directory, file, symlink, hard_link, fifo, character_device, block_device };

struct Xattr {
  std::string name;
  base::Bytes value;
  bool operator==(const Xattr&) const = default;
};

struct Timestamp {
  std::int64_t seconds = 0;  // since 1970
  std::uint32_t nanoseconds = 0;
  auto operator<=>(const Timestamp&) const = default;
};

struct Entry {
  EntryType type = EntryType::file;
  std::string path{};      // any bytes but zero
  std::uint16_t mode = 0;  // permissions and set-id bits alone
  std::uint32_t uid = 0, gid = 0;
  std::string user{}, group{};   // empty: not known
  std::uint64_t size_bytes = 0;  // of a file
  Timestamp modified{};
  std::optional<Timestamp> changed{};  // of the inode
  std::uint32_t device_major = 0, device_minor = 0;
  std::string target{};  // of a symbolic link its text; of a hard link the path of the other name
  std::vector<Xattr> xattrs{};
  bool operator==(const Entry&) const = default;
};

// Where a file has data; the rest of it are holes.
struct Extent {
  std::uint64_t offset = 0, length = 0;
  bool operator==(const Extent&) const = default;
};

}  // namespace muster::archive
