#include "backup/sentence.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "backup/fields.h"
#include "backup/object_names.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Code;
using base::Context;
using base::Error;
using nlohmann::json;

Sentence decode_sentence(base::ByteView payload, const ObjectId& id, std::string_view name) {
  const json fields = parse_fields(payload, name);
  Sentence sentence{.id = id_field(fields, "sentence", name),
                    .packs = ids_field(fields, "packs", name),
                    .session = id_field(fields, "session", name)};
  if (sentence.id != id) throw Error(Code::corrupt, std::string(name) + ": says it is another sentence");
  return sentence;
}

std::optional<Verdict> read_verdict(const Context& ctx, const Repository& repository, const ObjectId& id) {
  const std::string name = object_name(kVerdictsPrefix, id);
  try {
    const auto payload = repository.get_maintenance(ctx, repository.address(name, DocumentKind::verdict));
    const json fields = parse_fields(payload, name);
    if (id_field(fields, "sentence", name) != id) throw Error(Code::corrupt, name + ": is of another sentence");
    return Verdict{id, ids_field(fields, "condemned", name), id_field(fields, "session", name)};
  } catch (const Error& e) {
    if (e.code() != Code::not_found && e.code() != Code::corrupt) throw;
    // A verdict that is none lets nothing go.
    if (e.code() == Code::corrupt) ctx.warn(e.what());
    return std::nullopt;
  }
}

}  // namespace

void put_sentence(const Context& ctx, const Repository& repository, const Sentence& sentence) {
  const std::string name = object_name(kSentencesPrefix, sentence.id);
  repository.put_maintenance(
      ctx, repository.address(name, DocumentKind::sentence),
      fields_bytes(
          {{"sentence", hex(sentence.id)}, {"packs", hex_list(sentence.packs)}, {"session", hex(sentence.session)}}));
}

bool put_verdict(const Context& ctx, const Repository& repository, const Verdict& verdict) {
  const std::string name = object_name(kVerdictsPrefix, verdict.sentence);
  return repository.put_maintenance(ctx, repository.address(name, DocumentKind::verdict),
                                    fields_bytes({{"sentence", hex(verdict.sentence)},
                                                  {"condemned", hex_list(verdict.condemned)},
                                                  {"session", hex(verdict.session)}})) == Put::created;
}

namespace {

Judged judged(const Sentence& sentence, std::chrono::sys_seconds stored, const std::optional<Verdict>& verdict) {
  Judged result{.sentence = sentence, .stored = stored, .condemned = std::nullopt};
  if (!verdict) return result;
  result.condemned = verdict->condemned;
  result.judge = verdict->session;
  return result;
}

}  // namespace

std::vector<Judged> read_sentences(const Context& ctx, const Repository& repository) {
  std::vector<std::pair<ObjectId, std::chrono::sys_seconds>> found;
  repository.storage().list(ctx, kSentencesPrefix, [&](const StoredObject& object) {
    if (const auto id = id_in_name(kSentencesPrefix, object.name)) found.emplace_back(*id, object.stored);
  });
  std::sort(found.begin(), found.end());
  std::vector<Judged> sentences;
  for (const auto& [id, stored] : found) {
    const std::string name = object_name(kSentencesPrefix, id);
    try {
      const auto payload = repository.get_maintenance(ctx, repository.address(name, DocumentKind::sentence));
      sentences.push_back(judged(decode_sentence(payload, id, name), stored, read_verdict(ctx, repository, id)));
    } catch (const Error& e) {
      if (e.code() != Code::not_found && e.code() != Code::corrupt) throw;
      if (e.code() == Code::not_found) continue;
      ctx.warn(e.what());
      // A sentence that was damaged after its verdict is as good as that.
      if (const auto verdict = read_verdict(ctx, repository, id))
        sentences.push_back(
            judged({.id = id, .packs = verdict->condemned, .session = verdict->session}, stored, verdict));
    }
  }
  return sentences;
}

std::set<ObjectId> list_sentences(const Context& ctx, Storage& storage) {
  std::set<ObjectId> ids;
  storage.list(ctx, kSentencesPrefix, [&](const StoredObject& object) {
    if (const auto id = id_in_name(kSentencesPrefix, object.name)) ids.insert(*id);
  });
  return ids;
}

std::set<ObjectId> doomed_packs(const std::vector<Judged>& sentences) {
  std::set<ObjectId> packs;
  for (const auto& judged : sentences) {
    const auto& going = judged.condemned ? *judged.condemned : judged.sentence.packs;
    packs.insert(going.begin(), going.end());
  }
  return packs;
}

void remove_sentence(const Context& ctx, const Repository& repository, const Judged& judged) {
  const ObjectId& id = judged.sentence.id;
  // The verdict last: a sentence without one would be open to another.
  repository.storage().remove(ctx, object_name(kSentencesPrefix, id));
  if (judged.judge == judged.sentence.session) repository.storage().remove(ctx, object_name(kVerdictsPrefix, id));
}

}  // namespace muster::backup
