// Writes a tar archive (pax) as it goes, which GNU tar and others extract: names as bytes, times in nanoseconds, sparse
// files, extended attributes. Not thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "archive/entry.h"

namespace muster::archive {

class TarWriter {
 public:
  // Takes the archive's bytes. May block and throw.
  using Sink = std::function<void(base::ByteView)>;
  explicit TarWriter(Sink sink);
  TarWriter(const TarWriter&) = delete;
  TarWriter& operator=(const TarWriter&) = delete;
  // Without finish() the archive is cut short.
  ~TarWriter();

  // `data`: where a file has data, sorted; all of it must be told unless it has no holes, then nothing. These throw
  // Error{io} for what libarchive says, and what the sink throws.
  void begin(const Entry& entry, const std::vector<Extent>& data = {});
  // The entry's bytes, one after the other, holes as zeroes.
  void write(base::ByteView bytes);
  void finish();

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

}  // namespace muster::archive
