// The frame of every small object of a repository: kind, repository, an optional encryption with a metadata key, an
// optional signature, a checksum; muster-repository(7), "Documents". Packs and index tables have frames of their own.
// Pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "backup/credential.h"
#include "backup/crypto.h"
#include "backup/ids.h"
#include "base/bytes.h"

namespace muster::backup {

// Numbers of the format.
enum class DocumentKind : std::uint8_t {
  config = 1,
  key_slot = 2,
  host = 3,
  point = 4,
  decision = 5,
  label = 6,
  lease = 7,
  forgotten = 8,
  sentence = 9,
  verdict = 10,
  damaged = 11,
  boot = 12,
};

constexpr std::size_t kMaxDocumentBytes = 16U << 20;

struct Signer {
  ObjectId id;
  Secret seed;
};

struct DocumentSealing {
  // Both or none.
  std::optional<Secret> metadata_key;
  Domain domain = kDefaultDomain;
  std::optional<Signer> signer;
};

struct DocumentAddress {
  std::string_view name;  // of the object: a document cannot be moved to another
  ObjectId repository;
  DocumentKind kind;
};

base::Bytes seal_document(const DocumentAddress& address, base::ByteView payload, const DocumentSealing& sealing);

// Answers for what a document names: nullopt for keys that are not held and signers that are not known.
struct DocumentKeys {
  std::function<std::optional<Secret>(Domain)> metadata_key;
  std::function<std::optional<PublicKey>(const ObjectId&)> signing_key;
};

struct OpenedDocument {
  base::Bytes payload;
  Domain domain = kDefaultDomain;
  std::optional<ObjectId> signer;  // whose signature was found to be good
};

// Throws Error{corrupt} for damage, another kind or name, or a signature that is wrong or of nobody known, and
// Error{key} where the metadata key is not held or the document is of another repository.
OpenedDocument open_document(const DocumentAddress& address, base::ByteView bytes, const DocumentKeys& keys);

// What is known without any key, of a whole, undamaged document: its repository, and a payload that is not encrypted,
// whoever signed it. Throw Error{corrupt}.
ObjectId repository_of(std::string_view name, base::ByteView bytes);
base::Bytes clear_payload(const DocumentAddress& address, base::ByteView bytes);

}  // namespace muster::backup
