// Plain bytes into records, and back: identifiers, compression, encryption. A sealer or an opener is one thread's; what
// several share is made once for a session.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "backup/compression.h"
#include "backup/credential.h"
#include "backup/crypto.h"
#include "backup/pack.h"
#include "backup/record.h"

namespace muster::backup {

// The keys that one session writes with: both fresh, so that no nonce is ever used twice, and the data key known to the
// owner alone once the session ends.
class SessionKeys {
 public:
  // Throws Error{key} for a credential that writes nowhere.
  SessionKeys(const ObjectId& repository, const Credential& credential);

  const PackKey& pack_key(RecordKind kind) const { return kind == RecordKind::chunk ? data_ : metadata_; }
  const Secret& secret(RecordKind kind) const { return kind == RecordKind::chunk ? data_secret_ : metadata_secret_; }
  const Secret& id_key(RecordKind kind) const { return kind == RecordKind::chunk ? chunk_id_key_ : page_id_key_; }
  // Names chunks of the base; without for whoever writes there.
  const std::optional<Secret>& base_id_key() const { return base_id_key_; }
  const ObjectId& repository() const { return repository_; }

 private:
  ObjectId repository_;
  PackKey data_, metadata_;
  Secret data_secret_, metadata_secret_, chunk_id_key_, page_id_key_;
  std::optional<Secret> base_id_key_;
};

struct SealedRecord {
  RecordHeader header;
  base::ByteView bytes;  // whole; the sealer's own, until it seals another one
};

class RecordSealer {
 public:
  // `number` differs among the sealers of a session: nonces are made of it. `keys` outlive the sealer.
  RecordSealer(const SessionKeys& keys, int level, std::uint32_t number);

  ChunkId id_of(RecordKind kind, base::ByteView plain);
  // What a chunk is called in the base; nullopt for whoever does not look there.
  std::optional<ChunkId> base_id_of(base::ByteView plain);
  // `id` is id_of() the same bytes, of which there are 1 to kMaxPlainBytes.
  SealedRecord seal(RecordKind kind, const ChunkId& id, base::ByteView plain);

 private:
  Nonce next_nonce();

  const SessionKeys* keys_;
  Compressor compressor_;
  KeyedHash chunk_ids_, page_ids_;
  std::optional<KeyedHash> base_ids_;
  Aead data_, metadata_;
  std::uint32_t number_;
  std::uint64_t count_ = 0;
  base::Bytes record_;
};

class RecordOpener {
 public:
  explicit RecordOpener(const Credential& credential) : credential_(&credential) {}

  // The plain bytes into `plain`, which is resized. `key` is that of the header. Throws Error{corrupt} where they are
  // not what they are called, and Error{key} where the key is not held.
  void open(const RecordHeader& header, base::ByteView record, const PackKey& key, base::Bytes& plain);
  // Under which name a chunk of these bytes would stand, in the domain of `key`.
  ChunkId id_of(RecordKind kind, Domain domain, base::ByteView plain);

 private:
  struct IdKeys {
    std::optional<KeyedHash> chunks;
    KeyedHash pages;
  };
  Aead& aead_of(const PackKey& key);
  IdKeys& ids_of(Domain domain);

  const Credential* credential_;
  Decompressor decompressor_;
  std::map<PackKey, Aead> aeads_;  // by all of it: a pack may lie about a key's id
  std::map<Domain, IdKeys> ids_;
  base::Bytes packed_;
};

}  // namespace muster::backup
