// The other end of a PipedStorage: does on a storage what another process asks for (piped_storage.h has the messages),
// as far as it may. Thread-safe.
#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <string>

#include "backup/storage.h"
#include "base/framed_pipe.h"

namespace muster::backup {

class StorageService {
 public:
  // Whoever only makes backups puts packs, index tables, points, what becomes of points of its own, and leases; sees
  // all but key slots; and removes leases, and points that were not decided on, that it put through this service.
  enum class Rights { backup, all };
  // `storage` outlives it.
  StorageService(Storage& storage, Rights rights) : storage_(storage), rights_(rights) {}

  // The answer to a frame that is a request; never throws: errors are answers, too.
  base::Frame answer(const base::Context& ctx, const base::Frame& request);
  // Whether the object was put through this service.
  bool has_put(const std::string& name) const;

 private:
  base::Frame do_it(const base::Context& ctx, const base::Frame& request, std::uint64_t number);
  std::size_t present_bytes(const base::Context& ctx, const std::string& name, std::uint64_t offset,
                            std::uint64_t size) const;
  void check_put(const std::string& name) const;
  void check_removal(const std::string& name) const;
  void check_seen(const std::string& name) const;

  Storage& storage_;
  const Rights rights_;
  mutable std::mutex mutex_;
  std::set<std::string> own_;
};

}  // namespace muster::backup
