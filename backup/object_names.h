// Where each kind of object stands in a repository (muster-repository(7), "Layout"). Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "backup/ids.h"

namespace muster::backup {

inline constexpr std::string_view kConfigName = "config";
inline constexpr std::string_view kKeysPrefix = "keys/";
inline constexpr std::string_view kHostsPrefix = "hosts/";
inline constexpr std::string_view kRevokedPrefix = "revoked/";
inline constexpr std::string_view kPacksPrefix = "packs/";
inline constexpr std::string_view kIndexPrefix = "index/";
inline constexpr std::string_view kPointsPrefix = "points/";
inline constexpr std::string_view kDecisionsPrefix = "decisions/";
inline constexpr std::string_view kLabelsPrefix = "labels/";
inline constexpr std::string_view kBootsPrefix = "boots/";
inline constexpr std::string_view kLeasesPrefix = "leases/";
inline constexpr std::string_view kForgottenPrefix = "forgotten/";
inline constexpr std::string_view kSentencesPrefix = "sentenced/";
inline constexpr std::string_view kVerdictsPrefix = "verdicts/";
inline constexpr std::string_view kDamagedPrefix = "damaged/";

// `PREFIX<32 digits>`.
std::string object_name(std::string_view prefix, const ObjectId& id);
// packs/<2 digits>/<32 digits>: no directory gets too many.
std::string pack_name(const ObjectId& id);

// The identifier at the end of such a name; nullopt for what is no such name, which is not ours.
std::optional<ObjectId> id_in_name(std::string_view prefix, std::string_view name);
std::optional<ObjectId> id_in_pack_name(std::string_view name);

// `PREFIX<32 digits>.<8 digits>.<32 digits>`: one of many about the first identifier, in order, no two of one name.
struct NumberedName {
  ObjectId of;
  std::uint32_t number = 0;
  ObjectId own;
};
std::string numbered_name(std::string_view prefix, const NumberedName& name);
std::optional<NumberedName> parse_numbered_name(std::string_view prefix, std::string_view name);

}  // namespace muster::backup
