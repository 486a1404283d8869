// Reads a tar archive as it comes, entry by entry, as GNU tar and others write it: pax headers, long and strange names,
// sparse files, extended attributes. Names are bytes, whatever the locale. For input that nobody vouches for: all is
// limited. Not thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "archive/entry.h"

namespace muster::archive {

inline constexpr std::size_t kMaxPathBytes = 32768, kMaxXattrs = 1024, kMaxXattrBytes = 1U << 20;

class TarReader {
 public:
  // The next bytes of the archive, valid until the next call; empty at its end. May block and throw.
  using Source = std::function<base::ByteView()>;
  explicit TarReader(Source source);
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;
  ~TarReader();

  // nullopt at the archive's end. What is left of the entry before is passed over. These throw Error{corrupt} for what
  // is no archive, is cut short or goes beyond a limit, and what the source throws.
  std::optional<Entry> next();

  // Of entries so far: those beyond kMaxXattrs and kMaxXattrBytes of one entry are left out.
  std::uint64_t attributes_dropped() const;

  struct Block {
    std::uint64_t offset = 0;
    base::ByteView bytes;
  };
  // More of the entry's bytes, valid until the next call; nullopt at its end. Holes have no blocks. Offsets rise.
  std::optional<Block> next_block();

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

}  // namespace muster::archive
