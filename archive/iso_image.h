// Writes a small ISO 9660 image with Joliet and Rock Ridge names, the form in which seeds are handed to guests. For a
// few files that fit into memory, not for installation media. Pure but for a temporary file that libarchive makes, in
// TMPDIR, and removes; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace muster::archive {

struct IsoFile {
  std::string name;  // in the root directory: no slash
  std::string bytes;
};

inline constexpr std::size_t kMaxIsoBytes = 16U << 20;

// The bytes of the image; a whole number of 2048-byte sectors. `label` is its volume identifier, at most 32 characters.
// `modified`: of every file, in seconds since 1970. Throws base::Error{usage} for files that make up more than
// kMaxIsoBytes or names that cannot be, {io} for what libarchive says.
std::string iso_image(const std::string& label, const std::vector<IsoFile>& files, std::int64_t modified);

}  // namespace muster::archive
