#include "vm/making.h"

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/error.h"

namespace muster::vm {
namespace {

using nlohmann::json;

json to_json(const PlannedVolume& volume) {
  const auto& spec = volume.spec;
  json fields = {{"pool", volume.pool},
                 {"name", spec.name},
                 {"format", spec.format},
                 {"capacity", spec.capacity_bytes},
                 {"preallocate", spec.preallocation},
                 {"read_only", spec.read_only},
                 {"made_here", volume.made_here},
                 {"copy_of_file", volume.copy_of_file},
                 {"shares_blocks", volume.shares_blocks},
                 {"target", volume.target}};
  if (volume.seed) fields["seed"] = vm::to_json(*volume.seed);
  if (spec.backing) fields["backing"] = {{"path", spec.backing->path}, {"format", spec.backing->format}};
  if (!volume.copy_of.name.empty()) fields["copy_of"] = {{"pool", volume.copy_of.pool}, {"name", volume.copy_of.name}};
  return fields;
}

std::string bytes_of(const json& text) { return base::base64_decode(text.get<std::string>()).value_or(""); }

PlannedVolume volume_from(const json& fields) {
  PlannedVolume volume{.pool = fields.at("pool"),
                       .spec = {.name = fields.at("name"),
                                .format = fields.at("format"),
                                .capacity_bytes = fields.at("capacity"),
                                .preallocation = fields.at("preallocate"),
                                .read_only = fields.at("read_only")},
                       .copy_of = {},
                       .made_here = fields.at("made_here"),
                       .copy_of_file = fields.at("copy_of_file"),
                       .shares_blocks = fields.at("shares_blocks"),
                       .target = fields.at("target")};
  if (fields.contains("seed")) volume.seed = seed_from_json(fields["seed"]);
  if (fields.contains("backing"))
    volume.spec.backing =
        virt::BackingImage{.path = fields["backing"].at("path"), .format = fields["backing"].at("format")};
  if (fields.contains("copy_of")) volume.copy_of = {fields["copy_of"].at("pool"), fields["copy_of"].at("name")};
  return volume;
}

}  // namespace

json to_json(const Making& making) {
  json fields = {{"uuid", making.uuid},
                 {"definition", making.definition},
                 {"volumes", json::array()},
                 {"autostart", making.autostart},
                 {"variables", base::base64_encode(making.variables)}};
  for (const auto& volume : making.volumes) fields["volumes"].push_back(to_json(volume));
  return fields;
}

Making making_from_json(const json& fields) {
  Making making{.uuid = fields.at("uuid"),
                .definition = fields.at("definition"),
                .volumes = {},
                .autostart = fields.at("autostart"),
                .variables = bytes_of(fields.at("variables"))};
  for (const auto& volume : fields.at("volumes")) making.volumes.push_back(volume_from(volume));
  return making;
}

std::string fresh_uuid() {
  std::string bytes = base::random_bytes(16);
  // Version 4, RFC 4122's variant.
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  std::string text = base::hex(bytes);
  for (const std::size_t at : {20U, 16U, 12U, 8U}) text.insert(at, 1, '-');
  return text;
}

virt::DiskSource expected_source(const std::string& pool, const virt::PoolFacts& facts, const std::string& volume) {
  using Kind = virt::DiskSource::Kind;
  if (facts.path.empty()) return {.kind = Kind::volume, .path = {}, .pool = pool, .volume = volume};
  const auto kind = facts.holds_files() ? Kind::file : Kind::block;
  return {.kind = kind, .path = facts.path + "/" + volume, .pool = {}, .volume = {}};
}

}  // namespace muster::vm
