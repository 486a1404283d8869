// A credential in a repository, under a key file or a passphrase: the slot is worth nothing without that, and that
// nothing once the slot is removed. Not thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "backup/credential.h"
#include "backup/ids.h"
#include "base/bytes.h"

namespace muster::backup {

enum class SlotKind { file, passphrase, clear };
const char* name_of(SlotKind kind);

// What a slot says in clear.
struct SlotFacts {
  ObjectId slot;
  SlotKind kind = SlotKind::file;
  Role role = Role::owner;
  std::string label;
  std::string created;  // RFC 3339
};

// The secret in a key file.
struct KeyFile {
  ObjectId repository;
  ObjectId slot;
  Secret secret;
};
std::string key_file_text(const KeyFile& key);
// Throws base::Error{key} naming `path` for a text that is none.
KeyFile parse_key_file(std::string_view text, const std::string& path);

// The owner's secret as text to be printed and typed in again, when no slot is left, with a
// check. Throws base::Error{key} for a mistyped one.
std::string recovery_text(const ObjectId& repository, const Secret& owner_secret);
struct Recovery {
  ObjectId repository;
  Secret owner_secret;
};
Recovery parse_recovery_text(std::string_view text);

// The documents, ready to be put.
base::Bytes seal_slot_for_file(const SlotFacts& facts, const Credential& credential, const KeyFile& key);
base::Bytes seal_slot_for_passphrase(const SlotFacts& facts, const Credential& credential, std::string_view passphrase);
base::Bytes seal_slot_in_clear(const SlotFacts& facts, const Credential& credential);

class KeySlot {
 public:
  // Throws base::Error{corrupt}, and Error{key} for one of another repository.
  KeySlot(const ObjectId& repository, const ObjectId& slot, base::ByteView document);

  const SlotFacts& facts() const { return facts_; }
  // Throw base::Error{key} where it is not the right one.
  Credential open(const KeyFile& key) const;
  Credential open(std::string_view passphrase) const;
  Credential open_clear() const;

 private:
  Credential unwrap(const Secret& key) const;

  ObjectId repository_;
  SlotFacts facts_;
  base::Bytes salt_, wrapped_;
  ScryptCost cost_;
};

}  // namespace muster::backup
