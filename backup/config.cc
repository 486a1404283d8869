#include "backup/config.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backup/document.h"
#include "backup/fields.h"
#include "backup/object_names.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::ByteView;
using base::Code;
using base::Error;
using nlohmann::json;

constexpr const char* kWhat = "config";

PublicKey key_field(const json& fields, const char* name) {
  const base::Bytes bytes = bytes_field(fields, name, std::tuple_size_v<PublicKey>, kWhat);
  PublicKey key{};
  std::copy(bytes.begin(), bytes.end(), key.begin());
  return key;
}

void check_format(const json& fields) {
  const auto format = number_field(fields, "format", UINT32_MAX, kWhat);
  if (format > kFormat)
    throw Error(Code::unsupported, fmt::format("the repository has format {}, this muster knows formats up to {}: "
                                               "take a newer muster",
                                               format, kFormat));
  if (format == 0) throw Error(Code::corrupt, "config: no format 0");
}

Config decode_fields(const json& fields) {
  check_format(fields);
  Config config{.format = static_cast<std::uint32_t>(number_field(fields, "format", kFormat, kWhat)),
                .repository = id_field(fields, "repository", kWhat),
                .created = text_field(fields, "created", kWhat)};
  config.chunk_bytes = static_cast<std::uint32_t>(number_field(fields, "chunk_bytes", kMaxChunkBytes, kWhat));
  if (config.chunk_bytes < kMinChunkBytes || (config.chunk_bytes & (config.chunk_bytes - 1)) != 0)
    throw Error(Code::corrupt, "config: chunks of a size that cannot be");
  for (const auto& [name, value] : {std::pair{"hash", "hmac-sha256"}, std::pair{"cipher", "aes-256-gcm"}})
    if (text_field(fields, name, kWhat) != value)
      throw Error(Code::unsupported, fmt::format("the repository's {} is one this muster does not know", name));
  config.encrypted = text_field(fields, "encryption", kWhat) != "none";
  config.owner = {.x25519 = key_field(fields, "owner_x25519"),
                  .ed25519 = key_field(fields, "owner_ed25519"),
                  .maintenance = key_field(fields, "maintenance_ed25519")};
  config.read_features = texts_field(fields, "read_features", kWhat);
  config.write_features = texts_field(fields, "write_features", kWhat);
  config.delete_features = texts_field(fields, "delete_features", kWhat);
  return config;
}

}  // namespace

void check_chunk_bytes(std::uint64_t bytes) {
  if (bytes < kMinChunkBytes || bytes > kMaxChunkBytes || (bytes & (bytes - 1)) != 0)
    throw Error(Code::usage, "chunks have a power of two between 64K and 4M bytes");
}

base::Bytes encode_config(const Config& config, const Credential& owner) {
  const json fields = {{"format", config.format},
                       {"repository", hex(config.repository)},
                       {"created", config.created},
                       {"chunk_bytes", config.chunk_bytes},
                       {"hash", "hmac-sha256"},
                       {"cipher", "aes-256-gcm"},
                       {"encryption", config.encrypted ? "keys" : "none"},
                       {"owner_x25519", base64(config.owner.x25519)},
                       {"owner_ed25519", base64(config.owner.ed25519)},
                       {"maintenance_ed25519", base64(config.owner.maintenance)},
                       {"read_features", config.read_features},
                       {"write_features", config.write_features},
                       {"delete_features", config.delete_features}};
  const DocumentAddress address{.name = kConfigName, .repository = config.repository, .kind = DocumentKind::config};
  return seal_document(address, fields_bytes(fields),
                       {.metadata_key = {}, .signer = Signer{owner.signer(), owner.signing_seed}});
}

Config decode_config(ByteView bytes) {
  const DocumentAddress address{
      .name = kConfigName, .repository = repository_of(kConfigName, bytes), .kind = DocumentKind::config};
  const json fields = parse_fields(clear_payload(address, bytes), kWhat);
  Config config = decode_fields(fields);
  if (config.repository != address.repository) throw Error(Code::corrupt, "config: names another repository");
  const auto owner = [&](const ObjectId& id) {
    return id == signer_id(config.owner.ed25519) ? std::optional(config.owner.ed25519) : std::nullopt;
  };
  if (!open_document(address, bytes, {.metadata_key = {}, .signing_key = owner}).signer)
    throw Error(Code::corrupt, "config: not signed by its owner");
  return config;
}

void check_features(const Config& config, Use use) {
  std::vector<std::string> needed = config.read_features;
  const auto add = [&](const std::vector<std::string>& more) { needed.insert(needed.end(), more.begin(), more.end()); };
  if (use != Use::read) add(config.write_features);
  if (use == Use::remove) add(config.delete_features);
  for (const auto& feature : needed)
    if (feature != kAreasFeature)
      throw Error(Code::unsupported,
                  "the repository uses '" + feature + "', which this muster does not know: take a newer muster");
}

void check_holds_areas(const Config& config) {
  const auto& features = config.delete_features;
  if (std::find(features.begin(), features.end(), kAreasFeature) == features.end())
    throw Error(Code::unsupported,
                "the repository was made before there were areas, and an older muster could prune what they need: back "
                "areas up into a new one (muster backup init)");
}

}  // namespace muster::backup
