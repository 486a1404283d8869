// Takes files out of an area, one after the other, in the order of a listing. The seam between what a restore point
// holds and where it goes: a directory or an archive.
#pragma once

#include <vector>

#include "archive/entry.h"
#include "base/bytes.h"

namespace muster::backup {

class EntrySink {
 public:
  virtual ~EntrySink() = default;

  // Of a hard link the target is a path that was begun before. What these throw ends the entry, and not the restore,
  // but for Error{no_space, cancelled, unreachable, timeout}.
  virtual void begin(const archive::Entry& entry, const std::vector<archive::Extent>& data) = 0;
  // Of a file. Offsets rise; what is left out is a hole.
  virtual void write(std::uint64_t offset, base::ByteView bytes) = 0;
  virtual void end() = 0;
  // Instead of end(): the rest cannot be had.
  virtual void spoil() = 0;
};

}  // namespace muster::backup
