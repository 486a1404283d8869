#include "backup/document.h"

#include <algorithm>
#include <array>

#include "base/error.h"

namespace muster::backup {
namespace {

using base::Bytes;
using base::ByteView;
using base::ByteWriter;
using base::Code;
using base::Error;

constexpr std::string_view kMagic = "mstrdoc1", kSigned = "muster document signature";
constexpr std::uint8_t kEncrypted = 1, kHasSignature = 2;
constexpr std::size_t kHeaderBytes = 48, kChecksumBytes = 32, kSignatureBytes = 16 + 64;

[[noreturn]] void reject(std::string_view name, const char* why) {
  throw Error(Code::corrupt, std::string(name) + ": " + why);
}

struct Header {
  DocumentKind kind{};
  std::uint8_t flags = 0;
  Domain domain = kDefaultDomain;
  std::uint32_t payload_bytes = 0;
  ObjectId repository{}, key_id{};

  bool encrypted() const { return (flags & kEncrypted) != 0; }
  bool has_signature() const { return (flags & kHasSignature) != 0; }
};

void write(Bytes& bytes, const Header& header) {
  ByteWriter writer(bytes);
  writer.raw(base::as_bytes(kMagic));
  writer.u8(static_cast<std::uint8_t>(header.kind));
  writer.u8(header.flags);
  writer.u16(header.domain);
  writer.u32(header.payload_bytes);
  writer.raw(header.repository.view());
  writer.raw(header.key_id.view());
}

// Checks the frame: magic, lengths, checksum.
Header read_header(std::string_view name, ByteView bytes) {
  if (bytes.size() < kHeaderBytes + kChecksumBytes || bytes.size() > kMaxDocumentBytes)
    reject(name, "has a wrong size");
  const ByteView body = bytes.first(bytes.size() - kChecksumBytes);
  const Sha256 checksum = sha256(body);
  if (!std::equal(checksum.begin(), checksum.end(), bytes.end() - kChecksumBytes)) reject(name, "damaged");
  base::ByteReader reader(body, name);
  if (base::as_text(reader.raw(kMagic.size())) != kMagic) reject(name, "no document of a muster repository");
  Header header{.kind = static_cast<DocumentKind>(reader.u8()), .flags = reader.u8(), .domain = reader.u16()};
  header.payload_bytes = reader.u32();
  header.repository.bytes = reader.array<16>();
  header.key_id.bytes = reader.array<16>();
  if ((header.flags & ~(kEncrypted | kHasSignature)) != 0) reject(name, "written by a newer muster");
  if (reader.left() != header.payload_bytes + (header.has_signature() ? kSignatureBytes : 0))
    reject(name, "has a wrong size");
  return header;
}

Bytes associated_data(ByteView header, std::string_view name) {
  Bytes bytes(header.begin(), header.end());
  ByteWriter(bytes).raw(base::as_bytes(name));
  return bytes;
}

// A fresh salt each time: its key is used once, so the nonce may be zero.
Secret document_key(const Secret& metadata_key, const ObjectId& key_id) {
  return derive(metadata_key, key_id.view(), "muster document");
}

Bytes signed_message(std::string_view name, ByteView bytes) {
  Bytes message;
  ByteWriter writer(message);
  writer.raw(base::as_bytes(kSigned));
  writer.raw(base::as_bytes(name));
  writer.u8(0);
  writer.raw(bytes);
  return message;
}

void add_signature(Bytes& bytes, std::string_view name, const Signer& signer) {
  ByteWriter writer(bytes);
  writer.raw(signer.id.view());
  writer.raw(sign(signer.seed, signed_message(name, bytes)));
}

ObjectId check_signature(std::string_view name, ByteView body, const DocumentKeys& keys) {
  const ByteView message = body.first(body.size() - 64);
  ObjectId signer;
  std::copy_n(message.end() - 16, 16, signer.bytes.begin());
  Signature signature{};
  std::copy_n(body.end() - 64, 64, signature.begin());
  const auto key = keys.signing_key ? keys.signing_key(signer) : std::nullopt;
  if (!key) reject(name, "signed by somebody this repository does not know");
  if (!verify(*key, signature, signed_message(name, message))) reject(name, "its signature is wrong");
  return signer;
}

Bytes open_payload(const DocumentAddress& address, const Header& header, ByteView body, const DocumentKeys& keys) {
  const ByteView payload = body.subspan(kHeaderBytes, header.payload_bytes);
  if (!header.encrypted()) return {payload.begin(), payload.end()};
  const auto key = keys.metadata_key ? keys.metadata_key(header.domain) : std::nullopt;
  if (!key) throw Error(Code::key, std::string(address.name) + ": encrypted for a domain whose keys are not held");
  if (payload.size() < Aead::kTagBytes) reject(address.name, "has a wrong size");
  Bytes plain(payload.size() - Aead::kTagBytes);
  if (!Aead(document_key(*key, header.key_id))
           .open({}, associated_data(body.first(kHeaderBytes), address.name), payload, plain))
    reject(address.name, "was not written with this repository's key, or not under this name");
  return plain;
}

}  // namespace

Bytes seal_document(const DocumentAddress& address, ByteView payload, const DocumentSealing& sealing) {
  const bool encrypted = sealing.metadata_key.has_value();
  Header header{.kind = address.kind,
                .flags = static_cast<std::uint8_t>((encrypted ? kEncrypted : 0) | (sealing.signer ? kHasSignature : 0)),
                .domain = sealing.domain,
                .payload_bytes = static_cast<std::uint32_t>(payload.size() + (encrypted ? Aead::kTagBytes : 0)),
                .repository = address.repository,
                .key_id = encrypted ? random_object_id() : ObjectId{}};
  if (payload.size() > kMaxDocumentBytes - 1024)
    throw Error(Code::refused, std::string(address.name) + ": a document larger than muster reads");
  Bytes bytes;
  write(bytes, header);
  if (encrypted) {
    const Bytes associated = associated_data(bytes, address.name);
    bytes.resize(kHeaderBytes + header.payload_bytes);
    Aead(document_key(*sealing.metadata_key, header.key_id))
        .seal({}, associated, payload, base::MutableBytes(bytes).subspan(kHeaderBytes));
  } else {
    ByteWriter(bytes).raw(payload);
  }
  if (sealing.signer) add_signature(bytes, address.name, *sealing.signer);
  ByteWriter(bytes).raw(sha256(bytes));
  return bytes;
}

OpenedDocument open_document(const DocumentAddress& address, ByteView bytes, const DocumentKeys& keys) {
  const Header header = read_header(address.name, bytes);
  if (header.repository != address.repository)
    throw Error(Code::corrupt,
                std::string(address.name) + ": belongs to another repository, " + hex(header.repository));
  if (header.kind != address.kind) reject(address.name, "holds a document of another kind");
  const ByteView body = bytes.first(bytes.size() - kChecksumBytes);
  OpenedDocument opened{.payload = {}, .domain = header.domain, .signer = std::nullopt};
  if (header.has_signature()) opened.signer = check_signature(address.name, body, keys);
  opened.payload = open_payload(address, header, body, keys);
  return opened;
}

ObjectId repository_of(std::string_view name, ByteView bytes) { return read_header(name, bytes).repository; }

Bytes clear_payload(const DocumentAddress& address, ByteView bytes) {
  const Header header = read_header(address.name, bytes);
  if (header.kind != address.kind || header.encrypted()) reject(address.name, "holds a document of another kind");
  const ByteView payload = bytes.subspan(kHeaderBytes, header.payload_bytes);
  return {payload.begin(), payload.end()};
}

}  // namespace muster::backup
