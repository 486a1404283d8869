#include "backup/key_slot.h"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backup/document.h"
#include "backup/fields.h"
#include "backup/object_names.h"
#include "base/digest.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Bytes;
using base::ByteView;
using base::Code;
using base::Error;
using nlohmann::json;

constexpr std::string_view kKeyFileTitle = "muster-key-1", kRecoveryTitle = "muster-recovery-1";
constexpr std::size_t kSaltBytes = 16, kMaxWrappedBytes = 1U << 16;

Bytes wrap(const Secret& key, const ObjectId& slot, ByteView credential) {
  Bytes wrapped(credential.size() + Aead::kTagBytes);
  // The key is used once: the slot's salt, or its file's secret, is fresh.
  Aead(key).seal({}, slot.view(), credential, wrapped);
  return wrapped;
}

Secret key_of_file(const KeyFile& file) { return derive(file.secret, file.slot.view(), "muster key slot"); }

json slot_fields(const SlotFacts& facts) {
  return {{"slot", hex(facts.slot)},
          {"kind", name_of(facts.kind)},
          {"role", name_of(facts.role)},
          {"label", facts.label},
          {"created", facts.created}};
}

Bytes seal(const SlotFacts& facts, const ObjectId& repository, const json& fields) {
  const std::string name = object_name(kKeysPrefix, facts.slot);
  return seal_document({.name = name, .repository = repository, .kind = DocumentKind::key_slot}, fields_bytes(fields),
                       {.metadata_key = {}, .signer = {}});
}

SlotKind parse_kind(std::string_view text, std::string_view what) {
  for (const SlotKind kind : {SlotKind::file, SlotKind::passphrase, SlotKind::clear})
    if (text == name_of(kind)) return kind;
  throw Error(Code::corrupt, fmt::format("{}: no kind of key '{}'", what, text));
}

// `NAME: VALUE` lines after a title.
std::optional<std::string> line_value(std::string_view text, std::string_view title, std::string_view name) {
  std::istringstream lines{std::string(text)};
  std::string line;
  if (!std::getline(lines, line) || line != title) return std::nullopt;
  while (std::getline(lines, line))
    if (line.starts_with(std::string(name) + ": ")) return line.substr(name.size() + 2);
  return std::nullopt;
}

std::optional<Secret> secret_line(std::string_view text, std::string_view title, std::string_view name) {
  const auto value = line_value(text, title, name);
  const auto bytes = value ? base::base64_decode(*value) : std::nullopt;
  if (!bytes || bytes->size() != Secret::kBytes) return std::nullopt;
  return Secret(base::as_bytes(*bytes));
}

std::optional<ObjectId> id_line(std::string_view text, std::string_view title, std::string_view name) {
  const auto value = line_value(text, title, name);
  try {
    return value ? std::optional(parse_object_id(*value, name)) : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;  // the caller names the file
  }
}

std::string recovery_check(const ObjectId& repository, const Secret& secret) {
  Bytes bytes;
  base::ByteWriter write(bytes);
  write.raw(repository.view());
  write.raw(secret.view());
  return base::hex(base::as_text(sha256(bytes))).substr(0, 8);
}

}  // namespace

const char* name_of(SlotKind kind) {
  switch (kind) {
    case SlotKind::file:
      return "file";
    case SlotKind::passphrase:
      return "passphrase";
    case SlotKind::clear:
      return "clear";
  }
  return "file";
}

std::string key_file_text(const KeyFile& key) {
  return fmt::format("{}\nrepository: {}\nslot: {}\nsecret: {}\n", kKeyFileTitle, hex(key.repository), hex(key.slot),
                     base64(key.secret.view()));
}

KeyFile parse_key_file(std::string_view text, const std::string& path) {
  const auto repository = id_line(text, kKeyFileTitle, "repository");
  const auto slot = id_line(text, kKeyFileTitle, "slot");
  const auto secret = secret_line(text, kKeyFileTitle, "secret");
  if (!repository || !slot || !secret) throw Error(Code::key, path + ": no key file of muster");
  return {*repository, *slot, *secret};
}

std::string recovery_text(const ObjectId& repository, const Secret& owner_secret) {
  return fmt::format("{}\nrepository: {}\nsecret: {}\ncheck: {}\n", kRecoveryTitle, hex(repository),
                     base::hex(base::as_text(owner_secret.view())), recovery_check(repository, owner_secret));
}

Recovery parse_recovery_text(std::string_view text) {
  const auto repository = id_line(text, kRecoveryTitle, "repository");
  const auto digits = line_value(text, kRecoveryTitle, "secret"), check = line_value(text, kRecoveryTitle, "check");
  if (!repository || !digits || !check) throw Error(Code::key, "no text that muster backup key export wrote");
  try {
    const Secret secret(parse_chunk_id(*digits, "secret").view());
    if (recovery_check(*repository, secret) == *check) return {*repository, secret};
  } catch (const Error&) {
    // Said below, as for a wrong check.
  }
  throw Error(Code::key, "the recovery text is mistyped: its check does not fit");
}

Bytes seal_slot_for_file(const SlotFacts& facts, const Credential& credential, const KeyFile& key) {
  json fields = slot_fields(facts);
  fields["credential"] = base64(wrap(key_of_file(key), facts.slot, encode_credential(credential)));
  return seal(facts, credential.repository, fields);
}

Bytes seal_slot_for_passphrase(const SlotFacts& facts, const Credential& credential, std::string_view passphrase) {
  const std::string salt = base::random_bytes(kSaltBytes);
  const ScryptCost cost;
  json fields = slot_fields(facts);
  fields["salt"] = base::base64_encode(salt);
  fields["scrypt_n"] = cost.n;
  fields["scrypt_r"] = cost.r;
  fields["scrypt_p"] = cost.p;
  const Secret key = derive_from_passphrase(passphrase, base::as_bytes(salt), cost);
  fields["credential"] = base64(wrap(key, facts.slot, encode_credential(credential)));
  return seal(facts, credential.repository, fields);
}

Bytes seal_slot_in_clear(const SlotFacts& facts, const Credential& credential) {
  json fields = slot_fields(facts);
  fields["credential"] = base64(encode_credential(credential));
  return seal(facts, credential.repository, fields);
}

KeySlot::KeySlot(const ObjectId& repository, const ObjectId& slot, ByteView document) : repository_(repository) {
  const std::string name = object_name(kKeysPrefix, slot);
  const auto opened =
      open_document({.name = name, .repository = repository, .kind = DocumentKind::key_slot}, document, {});
  const json fields = parse_fields(opened.payload, name);
  facts_ = {.slot = id_field(fields, "slot", name),
            .kind = parse_kind(text_field(fields, "kind", name), name),
            .role = parse_role(text_field(fields, "role", name), name),
            .label = text_field(fields, "label", name),
            .created = text_field(fields, "created", name)};
  if (facts_.slot != slot) throw Error(Code::corrupt, name + ": says it is another slot");
  const auto wrapped = base::base64_decode(text_field(fields, "credential", name));
  if (!wrapped || wrapped->size() > kMaxWrappedBytes) throw Error(Code::corrupt, name + ": holds no key");
  const ByteView view = base::as_bytes(*wrapped);
  wrapped_.assign(view.begin(), view.end());
  if (facts_.kind != SlotKind::passphrase) return;
  salt_ = bytes_field(fields, "salt", kSaltBytes, name);
  cost_ = {.n = number_field(fields, "scrypt_n", UINT32_MAX, name),
           .r = static_cast<std::uint32_t>(number_field(fields, "scrypt_r", UINT32_MAX, name)),
           .p = static_cast<std::uint32_t>(number_field(fields, "scrypt_p", UINT32_MAX, name))};
}

Credential KeySlot::unwrap(const Secret& key) const {
  Bytes plain(wrapped_.size() - std::min(wrapped_.size(), Aead::kTagBytes));
  if (!Aead(key).open({}, facts_.slot.view(), wrapped_, plain))
    throw Error(Code::key, facts_.kind == SlotKind::passphrase ? "wrong passphrase"
                                                               : "the key file does not open key " + hex(facts_.slot));
  Credential credential = decode_credential(plain);
  std::fill(plain.begin(), plain.end(), std::byte{});
  if (credential.repository != repository_ || credential.role != facts_.role)
    throw Error(Code::key, "key " + hex(facts_.slot) + " holds a credential of another repository");
  return credential;
}

Credential KeySlot::open(const KeyFile& key) const {
  if (key.slot != facts_.slot || facts_.kind != SlotKind::file)
    throw Error(Code::key, "the key file is not that of key " + hex(facts_.slot));
  return unwrap(key_of_file(key));
}

Credential KeySlot::open(std::string_view passphrase) const {
  return unwrap(derive_from_passphrase(passphrase, salt_, cost_));
}

Credential KeySlot::open_clear() const {
  if (facts_.kind != SlotKind::clear) throw Error(Code::key, "key " + hex(facts_.slot) + " is not in clear");
  Credential credential = decode_credential(wrapped_);
  if (credential.repository != repository_)
    throw Error(Code::key, "key " + hex(facts_.slot) + " holds a credential of another repository");
  return credential;
}

}  // namespace muster::backup
