#include "backup/storage.h"

#include "base/error.h"

namespace muster::backup {
namespace {

using base::Code;
using base::Error;

// Most objects that are read as a whole are small: they cost one request, not two.
constexpr std::size_t kFirstBytes = 64U << 10;

std::string text_of(const Storage& storage, std::string_view name) {
  return "object " + std::string(name) + " in " + storage.where();
}

[[noreturn]] void throw_too_large(const Storage& storage, std::string_view name, std::uint64_t limit_bytes) {
  throw Error(Code::corrupt,
              text_of(storage, name) + ": larger than the limit of " + std::to_string(limit_bytes) + " bytes");
}

struct Wanted {
  std::string_view name;
  std::uint64_t limit_bytes = 0;
};

// Grows `bytes`, its first ones, to the whole object.
void append_rest(const base::Context& ctx, Storage& storage, const Wanted& wanted, base::Bytes& bytes) {
  const auto object = storage.stat(ctx, wanted.name);
  if (!object) throw Error(Code::not_found, text_of(storage, wanted.name) + ": removed while it was read");
  if (object->size_bytes > wanted.limit_bytes) throw_too_large(storage, wanted.name, wanted.limit_bytes);
  const std::size_t first = bytes.size();
  if (object->size_bytes > first) {
    bytes.resize(object->size_bytes);
    bytes.resize(first + storage.get_range(ctx, wanted.name, first, base::MutableBytes(bytes).subspan(first)));
  }
  if (bytes.size() != object->size_bytes)
    throw Error(Code::io, text_of(storage, wanted.name) + ": its size is not what was read of it");
}

}  // namespace

Put put_new(const base::Context& ctx, Storage& storage, std::string_view name, base::ByteView bytes) {
  return storage.put_new(ctx, name, std::span(&bytes, 1));
}

base::Bytes get_all(const base::Context& ctx, Storage& storage, std::string_view name, std::uint64_t limit_bytes) {
  base::Bytes bytes(kFirstBytes);
  bytes.resize(storage.get_range(ctx, name, 0, bytes));
  if (bytes.size() > limit_bytes) throw_too_large(storage, name, limit_bytes);
  if (bytes.size() == kFirstBytes) append_rest(ctx, storage, {.name = name, .limit_bytes = limit_bytes}, bytes);
  return bytes;
}

}  // namespace muster::backup
