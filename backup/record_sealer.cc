#include "backup/record_sealer.h"

#include <algorithm>

#include "base/error.h"

namespace muster::backup {
namespace {

using base::Bytes;
using base::ByteView;
using base::Code;
using base::Error;
using base::MutableBytes;

// Keys in memory at once; a session has two, a repacked pack many.
constexpr std::size_t kMaxOpenKeys = 256;

Bytes sealing_data(const ObjectId& repository, const ObjectId& key) {
  Bytes bytes;
  base::ByteWriter write(bytes);
  write.raw(repository.view());
  write.raw(key.view());
  return bytes;
}

Secret metadata_secret(const Secret& metadata_key, const ObjectId& key) {
  return derive(metadata_key, key.view(), "muster records");
}

[[noreturn]] void reject(const RecordHeader& header, const char* why) {
  throw Error(Code::corrupt, (header.kind == RecordKind::chunk ? "chunk " : "map page ") + hex(header.id) + ": " + why);
}

}  // namespace

SessionKeys::SessionKeys(const ObjectId& repository, const Credential& credential) : repository_(repository) {
  const Domain domain = credential.home();
  const auto held = credential.keys_of(domain);
  if (!held || credential.role == Role::maintenance) throw Error(Code::key, "this key cannot write backups");
  data_secret_ = Secret::random();
  data_ = {.id = random_object_id(), .kind = PackKey::Kind::data, .domain = domain};
  data_.sealed = seal_secret(data_secret_, credential.owner_keys.x25519, sealing_data(repository, data_.id));
  metadata_ = {.id = random_object_id(), .kind = PackKey::Kind::metadata, .domain = domain};
  metadata_secret_ = metadata_secret(held->metadata_key, metadata_.id);
  if (!held->chunk_id_key) throw Error(Code::key, "this key cannot write backups");
  chunk_id_key_ = *held->chunk_id_key;
  page_id_key_ = held->page_id_key;
  if (const auto base = domain == kBaseDomain ? std::nullopt : credential.keys_of(kBaseDomain))
    base_id_key_ = base->chunk_id_key;
}

RecordSealer::RecordSealer(const SessionKeys& keys, int level, std::uint32_t number)
    : keys_(&keys),
      compressor_(level),
      chunk_ids_(keys.id_key(RecordKind::chunk)),
      page_ids_(keys.id_key(RecordKind::page)),
      data_(keys.secret(RecordKind::chunk)),
      metadata_(keys.secret(RecordKind::page)),
      number_(number) {
  if (keys.base_id_key()) base_ids_.emplace(*keys.base_id_key());
}

ChunkId RecordSealer::id_of(RecordKind kind, ByteView plain) {
  return kind == RecordKind::chunk ? chunk_ids_(plain) : page_ids_(plain);
}

std::optional<ChunkId> RecordSealer::base_id_of(ByteView plain) {
  return base_ids_ ? std::optional((*base_ids_)(plain)) : std::nullopt;
}

Nonce RecordSealer::next_nonce() {
  Bytes bytes;
  base::ByteWriter write(bytes);
  write.u32(number_);
  write.u64(count_++);
  Nonce nonce{};
  std::copy(bytes.begin(), bytes.end(), nonce.begin());
  return nonce;
}

SealedRecord RecordSealer::seal(RecordKind kind, const ChunkId& id, ByteView plain) {
  record_.resize(std::max(record_.size(), kRecordHeaderBytes + plain.size() + Aead::kTagBytes));
  // Compressed and encrypted where it will stand.
  const MutableBytes room = MutableBytes(record_).subspan(kRecordHeaderBytes, plain.size());
  const auto packed = compressor_.compress(plain, room);
  const ByteView body = packed ? ByteView(room).first(*packed) : plain;
  SealedRecord record;
  record.header = {.kind = kind,
                   .compression = packed ? Compression::zstd : Compression::none,
                   .plain_bytes = static_cast<std::uint32_t>(plain.size()),
                   .sealed_bytes = static_cast<std::uint32_t>(body.size() + Aead::kTagBytes),
                   .key = keys_->pack_key(kind).id,
                   .id = id,
                   .nonce = next_nonce()};
  const MutableBytes whole = MutableBytes(record_).first(record.header.record_bytes());
  (kind == RecordKind::chunk ? data_ : metadata_)
      .seal(record.header.nonce, associated_data(keys_->repository(), record.header), body,
            whole.subspan(kRecordHeaderBytes));
  write_record_header(record.header, whole);
  record.bytes = whole;
  return record;
}

Aead& RecordOpener::aead_of(const PackKey& key) {
  if (const auto found = aeads_.find(key); found != aeads_.end()) return found->second;
  if (aeads_.size() >= kMaxOpenKeys) aeads_.clear();
  std::optional<Secret> secret;
  if (key.kind == PackKey::Kind::metadata) {
    const auto held = credential_->keys_of(key.domain);
    if (held) secret = metadata_secret(held->metadata_key, key.id);
  } else if (credential_->owner) {
    secret = open_secret(key.sealed, *credential_->owner, sealing_data(credential_->repository, key.id));
    if (!secret) throw Error(Code::corrupt, "data key " + hex(key.id) + ": not sealed to the owner");
  }
  if (!secret)
    throw Error(Code::key, key.kind == PackKey::Kind::data
                               ? "this key may write backups, not read them: only the owner's key reads data"
                               : "written for a domain whose keys are not held");
  return aeads_.emplace(key, Aead(*secret)).first->second;
}

RecordOpener::IdKeys& RecordOpener::ids_of(Domain domain) {
  if (const auto found = ids_.find(domain); found != ids_.end()) return found->second;
  const auto held = credential_->keys_of(domain);
  if (!held) throw Error(Code::key, "written for a domain whose keys are not held");
  IdKeys keys{std::nullopt, KeyedHash(held->page_id_key)};
  if (held->chunk_id_key) keys.chunks.emplace(*held->chunk_id_key);
  return ids_.emplace(domain, std::move(keys)).first->second;
}

ChunkId RecordOpener::id_of(RecordKind kind, Domain domain, ByteView plain) {
  IdKeys& keys = ids_of(domain);
  if (kind == RecordKind::page) return keys.pages(plain);
  if (!keys.chunks) throw Error(Code::key, "a maintenance key does not name chunks");
  return (*keys.chunks)(plain);
}

void RecordOpener::open(const RecordHeader& header, ByteView record, const PackKey& key, Bytes& plain) {
  const auto kind = header.kind == RecordKind::chunk ? PackKey::Kind::data : PackKey::Kind::metadata;
  if (key.kind != kind) reject(header, "is under a key of the wrong kind");
  const ByteView sealed = record.subspan(kRecordHeaderBytes, header.sealed_bytes);
  const std::size_t packed_bytes = sealed.size() - Aead::kTagBytes;
  const bool packed = header.compression == Compression::zstd;
  if (!packed && packed_bytes != header.plain_bytes) reject(header, "has a wrong size");
  plain.resize(header.plain_bytes);
  if (packed && packed_.size() < packed_bytes) packed_.resize(packed_bytes);
  const MutableBytes opened = packed ? MutableBytes(packed_).first(packed_bytes) : MutableBytes(plain);
  const Bytes associated = associated_data(credential_->repository, header);
  if (!aead_of(key).open(header.nonce, associated, sealed, opened)) reject(header, "is not what was written");
  if (packed && !decompressor_.decompress(opened, plain)) reject(header, "does not decompress");
  // AES-GCM does not commit to its key: the name is what counts.
  if (id_of(header.kind, key.domain, plain) != header.id) reject(header, "holds other bytes than its name says");
}

}  // namespace muster::backup
