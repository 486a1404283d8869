// What holds for a whole repository, for ever: its identifier, format, chunk layout and the owner's public keys. It is
// in clear, and signed by the owner. A value.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backup/credential.h"
#include "backup/ids.h"
#include "base/bytes.h"

namespace muster::backup {

constexpr std::uint32_t kFormat = 1;
constexpr std::uint32_t kMinChunkBytes = 64U << 10, kMaxChunkBytes = 4U << 20, kDefaultChunkBytes = 256U << 10;

struct Config {
  std::uint32_t format = kFormat;
  ObjectId repository{};
  std::string created{};  // RFC 3339
  std::uint32_t chunk_bytes = kDefaultChunkBytes;
  bool encrypted = true;  // otherwise the owner's key lies in a slot that is in clear
  OwnerPublicKeys owner{};
  // What a muster must know to read, to write, to remove: words.
  std::vector<std::string> read_features{}, write_features{}, delete_features{};
};

// To remove: restore points may be of areas, whose listings name records.
inline constexpr const char* kAreasFeature = "areas";

enum class Use { read, write, remove };

// A power of two between the limits. Throws Error{usage}.
void check_chunk_bytes(std::uint64_t bytes);

base::Bytes encode_config(const Config& config, const Credential& owner);
// Whole, and signed by the owner that it names; whether that is the right one, a credential tells. Throws
// Error{corrupt}, and Error{unsupported} for a newer format.
Config decode_config(base::ByteView bytes);
// Throws Error{unsupported} where a feature is not known that this use needs.
void check_features(const Config& config, Use use);
// Throws Error{unsupported} for a repository in which an older muster may remove what listings name.
void check_holds_areas(const Config& config);

}  // namespace muster::backup
