// A storage that another process has, at the other end of a pipe: each operation is a request with a number, answered
// by that number, many under way at once. That process uses StorageService (storage_service.h). Requests and answers
// are heads of JSON, `{"call":N,"storage":"put|get|list|remove|stat","name":...,"offset":N,"size":N}` and
// `{"answer":N,...}` or `{"answer":N,"error":CODE,"text":...}`, with the bytes as bodies. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "backup/storage.h"
#include "base/error.h"
#include "base/framed_pipe.h"

namespace muster::backup {

class PipedStorage : public Storage {
 public:
  // Sends a frame; throws base::Error where nobody takes it.
  using Send = std::function<void(std::string_view head, std::span<const base::ByteView> body)>;
  PipedStorage(Send send, std::string where, std::chrono::milliseconds listing_lag);

  // From whoever reads the pipe: a frame whose head is `answer`. One that nobody waits for is dropped.
  void answer(base::Frame frame);
  // Nothing comes any more: every call throws `why`, from now on.
  void lose(const base::Error& why);

  Put put_new(const base::Context& ctx, std::string_view name, std::span<const base::ByteView> pieces) override;
  std::size_t get_range(const base::Context& ctx, std::string_view name, std::uint64_t offset,
                        base::MutableBytes into) override;
  void list(const base::Context& ctx, std::string_view prefix,
            const std::function<void(const StoredObject&)>& take) override;
  bool remove(const base::Context& ctx, std::string_view name) override;
  std::optional<StoredObject> stat(const base::Context& ctx, std::string_view name) override;
  std::chrono::milliseconds listing_lag() const override { return listing_lag_; }
  std::string where() const override { return where_; }

 private:
  struct Request;
  base::Frame call(const base::Context& ctx, const Request& request);

  const Send send_;
  const std::string where_;
  const std::chrono::milliseconds listing_lag_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, std::optional<base::Frame>> waiting_;
  std::optional<base::Error> lost_;
};

}  // namespace muster::backup
