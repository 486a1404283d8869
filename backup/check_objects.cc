#include <array>

#include "backup/check_parts.h"
#include "backup/lease.h"
#include "backup/object_names.h"
#include "backup/restore_point.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Code;
using base::Context;
using base::Error;

struct DocumentPlace {
  std::string_view prefix;
  DocumentKind kind;
};
constexpr std::array kSigned{
    DocumentPlace{kPointsPrefix, DocumentKind::point},        DocumentPlace{kDecisionsPrefix, DocumentKind::decision},
    DocumentPlace{kLabelsPrefix, DocumentKind::label},        DocumentPlace{kLeasesPrefix, DocumentKind::lease},
    DocumentPlace{kForgottenPrefix, DocumentKind::forgotten}, DocumentPlace{kSentencesPrefix, DocumentKind::sentence},
    DocumentPlace{kVerdictsPrefix, DocumentKind::verdict},    DocumentPlace{kDamagedPrefix, DocumentKind::damaged},
    DocumentPlace{kBootsPrefix, DocumentKind::boot},          DocumentPlace{kHostsPrefix, DocumentKind::host},
    DocumentPlace{kRevokedPrefix, DocumentKind::host}};

void check_table(const Context& ctx, const Repository& repository, const ObjectId& id, std::set<ObjectId>& packs) {
  const IndexTable table = open_index_table(ctx, repository, id);
  // A table that is damaged names nothing: its packs are to be indexed anew.
  table.each(ctx, repository.storage(), [](const IndexEntry&) {});
  packs.insert(table.packs().begin(), table.packs().end());
}

void check_key(const Context& ctx, const Repository& repository, const std::string& name) {
  const auto id = id_in_name(kKeysPrefix, name);
  if (!id) throw Error(Code::corrupt, name + ": no name of a key");
  const KeySlot slot(repository.id(), *id, get_all(ctx, repository.storage(), name, kMaxDocumentBytes));
}

// True where it is an object of a repository at all.
bool check_one(const Context& ctx, const Repository& repository, const std::string& name, std::set<ObjectId>& packs) {
  if (name.starts_with(kPacksPrefix)) return id_in_pack_name(name).has_value();
  if (name == kConfigName) return decode_config(get_all(ctx, repository.storage(), name, kMaxDocumentBytes)), true;
  if (name.starts_with(kKeysPrefix)) return check_key(ctx, repository, name), true;
  if (const auto id = id_in_name(kIndexPrefix, name)) return check_table(ctx, repository, *id, packs), true;
  // Signed, it may still make no sense.
  if (const auto id = id_in_name(kPointsPrefix, name)) return get_point(ctx, repository, *id), true;
  for (const auto& place : kSigned)
    if (name.starts_with(place.prefix)) return repository.get_document(ctx, repository.address(name, place.kind)), true;
  return false;
}

}  // namespace

std::set<ObjectId> check_objects(const Context& ctx, const Repository& repository, Findings& findings) {
  std::set<ObjectId> packs;
  std::vector<std::string> names;
  repository.storage().list(ctx, "", [&](const StoredObject& object) {
    // The many are looked at by check_packs().
    if (object.name.starts_with(kPacksPrefix) && id_in_pack_name(object.name)) return findings.count_object();
    names.push_back(object.name);
  });
  for (const auto& name : names) {
    ctx.check_stop();
    findings.count_object();
    try {
      if (!check_one(ctx, repository, name, packs)) findings.add(FindingKind::foreign, name, "no object of muster's");
    } catch (const Error& e) {
      // One that was removed meanwhile is none; one of another domain is whole as far as it can be seen.
      if (e.code() == Code::not_found || e.code() == Code::key) continue;
      if (e.code() != Code::corrupt) throw;
      findings.add(FindingKind::object_damaged, name, e.what());
      if (const auto id = id_in_name(kIndexPrefix, name)) findings.result().damaged_tables.push_back(*id);
    }
  }
  return packs;
}

}  // namespace muster::backup
