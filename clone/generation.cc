#include "clone/generation.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/error.h"

namespace muster::clone {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

constexpr unsigned kVersion = 1;
constexpr std::size_t kMaxNameBytes = 128;
constexpr std::array kGuestKinds{GuestKind::cloud_init, GuestKind::offline, GuestKind::none};

json to_json(const MasterImage& image) {
  json fields = {{"target", image.target},
                 {"path", image.path},
                 {"format", image.format},
                 {"backing", image.backing_path},
                 {"capacity_bytes", image.capacity_bytes},
                 {"allocation_bytes", image.allocation_bytes},
                 {"physical_bytes", image.physical_bytes},
                 {"modified", image.modified},
                 {"header_sha256", image.header_sha256},
                 {"content_sha256", image.content_sha256},
                 {"made", image.made}};
  if (image.mode_before) fields["mode_before"] = *image.mode_before;
  if (!image.copy_of.empty()) fields["copy_of"] = {{"path", image.copy_of}, {"modified", image.copy_of_modified}};
  if (image.carried_bytes != 0) fields["carried_bytes"] = image.carried_bytes;
  return fields;
}

MasterImage image_from(const json& fields) {
  MasterImage image{.target = fields.at("target"),
                    .path = fields.at("path"),
                    .format = fields.at("format"),
                    .backing_path = fields.at("backing"),
                    .capacity_bytes = fields.at("capacity_bytes"),
                    .allocation_bytes = fields.at("allocation_bytes"),
                    .physical_bytes = fields.at("physical_bytes"),
                    .modified = fields.at("modified"),
                    .header_sha256 = fields.at("header_sha256"),
                    .content_sha256 = fields.at("content_sha256"),
                    .made = fields.at("made")};
  if (fields.contains("copy_of")) {
    image.copy_of = fields["copy_of"].at("path");
    image.copy_of_modified = fields["copy_of"].at("modified");
  }
  image.carried_bytes = fields.value("carried_bytes", std::uint64_t{0});
  if (fields.contains("mode_before")) image.mode_before = fields["mode_before"].get<unsigned>();
  return image;
}

json to_json(const virt::CreationMark& maker) {
  return {{"host", maker.host},
          {"machine", maker.machine},
          {"pid", maker.pid},
          {"started", maker.started},
          {"since", maker.since}};
}

virt::CreationMark maker_from(const json& fields) {
  return {.uuid = {},
          .host = fields.at("host"),
          .machine = fields.at("machine"),
          .pid = fields.at("pid"),
          .started = fields.at("started"),
          .since = fields.at("since"),
          .volumes = {}};
}

bool may_be_in_a_name(char c) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return letter || (c >= '0' && c <= '9') || std::string_view("._+-").find(c) != std::string_view::npos;
}

bool is_master_name(const std::string& name) {
  return !name.empty() && name.size() <= kMaxNameBytes && name[0] != '.' && name[0] != '-' &&
         std::all_of(name.begin(), name.end(), may_be_in_a_name);
}

// json by itself would cut off what does not fit.
unsigned positive(const json& number, const char* what) {
  constexpr std::uint64_t kMost = std::numeric_limits<unsigned>::max();
  if (!number.is_number_unsigned() || number.get<std::uint64_t>() == 0 || number.get<std::uint64_t>() > kMost)
    throw Error(Code::corrupt, std::string("has no ") + what);
  return number.get<unsigned>();
}

std::string master_name(const json& field) {
  auto name = field.get<std::string>();
  if (!is_master_name(name)) throw Error(Code::corrupt, "has no name that a master can have");
  return name;
}

GuestKind guest_of(const json& field) {
  const auto name = field.get<std::string>();
  for (const auto kind : kGuestKinds)
    if (name == name_of(kind)) return kind;
  throw Error(Code::corrupt, "has guests of an unknown kind, '" + name + "'");
}

std::string bytes_of(const json& field, const char* what) {
  auto bytes = base::base64_decode(field.get<std::string>());
  if (!bytes) throw Error(Code::corrupt, std::string("has ") + what + " that are not whole");
  return *bytes;
}

Generation generation_of(const json& claim) {
  if (const unsigned version = positive(claim.at("v"), "version"); version > kVersion)
    throw Error(Code::corrupt, "is of version " + std::to_string(version) + ", which this muster does not know");
  const json& fields = claim.at("master");
  Generation generation{.master = master_name(fields.at("name")),
                        .number = positive(fields.at("generation"), "number"),
                        .sealed = fields.at("sealed"),
                        .source = fields.at("source"),
                        .source_uuid = fields.at("source_uuid"),
                        .images = {},
                        .definition = fields.at("definition"),
                        .variables = bytes_of(fields.at("variables"), "firmware variables"),
                        .guest = guest_of(fields.at("guest"))};
  for (const auto& image : fields.at("images")) generation.images.push_back(image_from(image));
  if (fields.contains("tpm")) generation.tpm_state = bytes_of(fields["tpm"], "contents of a TPM");
  if (fields.contains("maker")) generation.maker = maker_from(fields["maker"]);
  if (generation.images.empty()) throw Error(Code::corrupt, "names no images");
  return generation;
}

}  // namespace

const char* name_of(GuestKind kind) {
  switch (kind) {
    case GuestKind::cloud_init:
      return "cloud-init";
    case GuestKind::offline:
      return "offline";
    case GuestKind::none:
      return "none";
  }
  return "none";
}

GuestKind guest_kind_named(std::string_view name) {
  for (const auto kind : kGuestKinds)
    if (name == name_of(kind)) return kind;
  throw Error(Code::usage, "guest '" + std::string(name) + "': write cloud-init, offline or none");
}

std::string name_of(const Generation& generation) {
  return generation.master + "@" + std::to_string(generation.number);
}

std::string to_text(const Generation& generation) {
  json images = json::array();
  for (const auto& image : generation.images) images.push_back(to_json(image));
  json claim = {{"v", kVersion},
                {"holder", "generation " + std::to_string(generation.number) + " of the master '" + generation.master +
                               "' (muster master list shows what is built on it)"},
                {"master",
                 {{"name", generation.master},
                  {"generation", generation.number},
                  {"sealed", generation.sealed},
                  {"source", generation.source},
                  {"source_uuid", generation.source_uuid},
                  {"images", images},
                  {"definition", generation.definition},
                  {"variables", base::base64_encode(generation.variables)},
                  {"guest", name_of(generation.guest)}}}};
  if (!generation.tpm_state.empty()) claim["master"]["tpm"] = base::base64_encode(generation.tpm_state);
  if (generation.maker) claim["master"]["maker"] = to_json(*generation.maker);
  return claim.dump(1) + "\n";
}

Generation generation_from(std::string_view text) {
  const json claim = json::parse(text, nullptr, false);
  if (!claim.is_object()) throw Error(Code::corrupt, "is no record of a master");
  try {
    return generation_of(claim);
  } catch (const json::exception&) {
    throw Error(Code::corrupt, "is no record of a master, or not a whole one");
  }
}

MasterName parse_master_name(std::string_view text) {
  const std::size_t at = text.find('@');
  MasterName name{.name = std::string(text.substr(0, at))};
  if (!is_master_name(name.name))
    throw Error(Code::usage, "'" + name.name +
                                 "' is no name of a master: write letters, digits, and . _ + - after the "
                                 "first");
  if (at == std::string_view::npos) return name;
  const std::string_view digits = text.substr(at + 1);
  unsigned number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size() || number == 0)
    throw Error(Code::usage, "'" + std::string(text) + "': write MASTER, or MASTER@GENERATION, as web@2");
  name.number = number;
  return name;
}

}  // namespace muster::clone
