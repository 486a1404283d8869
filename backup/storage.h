// Where a repository's objects lie: the five operations that everything else is built on, so that a directory, SFTP and
// S3 hold the same format. An object has a name, is made whole by one call, is never changed, and can be removed.
// Thread-safe; every operation blocks on the store.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/context.h"

namespace muster::backup {

struct StoredObject {
  std::string name;
  std::uint64_t size_bytes = 0;
  // When it was put, by the store's clock. Only ever compared with times of the same store.
  std::chrono::sys_seconds stored;
};

enum class Put { created, existed };

class Storage {
 public:
  virtual ~Storage() = default;

  // Makes `name` hold `pieces`, one after the other; durable once it returns. Of several that put the same name at once
  // exactly one gets `created`. Nobody ever sees half an object. Throws Error{no_space, io}; then the object is not
  // there, or whole (where a reply was lost).
  virtual Put put_new(const base::Context& ctx, std::string_view name, std::span<const base::ByteView> pieces) = 0;

  // Fills `into` from `offset` on; the number of bytes is smaller only at the object's end.
  // Throws Error{not_found} without the object, Error{io}.
  virtual std::size_t get_range(const base::Context& ctx, std::string_view name, std::uint64_t offset,
                                base::MutableBytes into) = 0;

  // Calls `take` for every object whose name begins with `prefix`, which ends with `/` or is empty; in no order.
  // Objects that are put or removed meanwhile may be missing or not.
  virtual void list(const base::Context& ctx, std::string_view prefix,
                    const std::function<void(const StoredObject&)>& take) = 0;

  // Durable once it returns. False where there was none.
  virtual bool remove(const base::Context& ctx, std::string_view name) = 0;

  virtual std::optional<StoredObject> stat(const base::Context& ctx, std::string_view name) = 0;

  // How long after a put or a removal a list may still miss it. Zero where lists are always true.
  virtual std::chrono::milliseconds listing_lag() const { return {}; }
  // For messages: a path or URL.
  virtual std::string where() const = 0;
};

// Words of a-z, 0-9, `.`, `-` and `_`, separated by single slashes, none of them `.` or `..`, the first not `tmp`; at
// most 200 bytes. Throws Error{usage} for any other name.
void check_object_name(std::string_view name);

// One piece.
Put put_new(const base::Context& ctx, Storage& storage, std::string_view name, base::ByteView bytes);

// The whole object. Throws Error{not_found, io}, and Error{corrupt} for one larger than `limit_bytes`.
base::Bytes get_all(const base::Context& ctx, Storage& storage, std::string_view name, std::uint64_t limit_bytes);

}  // namespace muster::backup
