// zstd, as records use it, with a cheap look at whether it is worth trying. An object of each is one thread's.
#pragma once

#include <memory>
#include <optional>

#include "base/bytes.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace muster::backup {

class Compressor {
 public:
  // Levels as zstd's, 1 to 19, or below 0 for its faster ones.
  explicit Compressor(int level);
  Compressor(Compressor&&) noexcept;
  Compressor& operator=(Compressor&&) noexcept;
  ~Compressor();

  // Into the front of `into`, which holds as much as `plain`. nullopt where that would not make it smaller.
  std::optional<std::size_t> compress(base::ByteView plain, base::MutableBytes into);

 private:
  struct Free {
    void operator()(ZSTD_CCtx_s* context) const noexcept;
  };
  std::unique_ptr<ZSTD_CCtx_s, Free> context_;
};

class Decompressor {
 public:
  Decompressor();
  Decompressor(Decompressor&&) noexcept;
  Decompressor& operator=(Decompressor&&) noexcept;
  ~Decompressor();

  // False unless `packed` is exactly the compressed form of as many bytes as `into` has.
  bool decompress(base::ByteView packed, base::MutableBytes into);

 private:
  struct Free {
    void operator()(ZSTD_DCtx_s* context) const noexcept;
  };
  std::unique_ptr<ZSTD_DCtx_s, Free> context_;
};

// Bytes spread evenly, in samples of some KiB: media files, archives, what is encrypted. Wrong now and then, which
// costs room or time and nothing else.
bool looks_incompressible(base::ByteView plain);

}  // namespace muster::backup
