// A storage around another one that is true to its contract, where things go wrong as a test says: the process is
// killed at its k-th operation, operations fail before or after they were done, objects come back damaged. Operations
// are counted from 1. Thread-safe; callbacks are called without locks, by whichever thread operates.
#pragma once

#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "backup/storage.h"
#include "base/error.h"

namespace muster::fakes {

struct Operation {
  enum class Kind { put_new, get_range, list, remove, stat } kind = Kind::put_new;
  std::string name;  // the prefix of a list
  std::size_t number = 0;
};
// `3 put_new packs/aa`, for messages of tests.
std::string to_string(const Operation& operation);

// The process is dead: not a base::Error, so that nobody handles it.
class Killed : public std::exception {
 public:
  const char* what() const noexcept override { return "killed by a test"; }
};

class FaultStorage : public backup::Storage {
 public:
  // `storage` outlives this, and stays whole: damage is seen through this one only.
  explicit FaultStorage(backup::Storage& storage) : storage_(storage) {}

  // What was asked for so far, also what failed; nothing of a killed process.
  std::vector<Operation> operations() const;

  // The operation of that number, and all later ones, throw Killed and do nothing.
  void kill_at(std::size_t number);
  // It throws Error{code} and does nothing.
  void fail_at(std::size_t number, base::Code code);
  // It is done, then throws Error{io}.
  void lose_reply_at(std::size_t number);

  // Called before and after everything that is done; what they throw, the operation throws.
  using Callback = std::function<void(const Operation&)>;
  void before_each(Callback callback);
  void after_each(Callback callback);

  // Reads of `name` have bit `bit` (of all its bytes) turned over.
  void flip_bit(const std::string& name, std::uint64_t bit);
  // `name` looks as if only its first bytes had ever been written.
  void tear(const std::string& name, std::uint64_t size_bytes);

  backup::Put put_new(const base::Context& ctx, std::string_view name, std::span<const base::ByteView> pieces) override;
  std::size_t get_range(const base::Context& ctx, std::string_view name, std::uint64_t offset,
                        base::MutableBytes into) override;
  void list(const base::Context& ctx, std::string_view prefix,
            const std::function<void(const backup::StoredObject&)>& take) override;
  bool remove(const base::Context& ctx, std::string_view name) override;
  std::optional<backup::StoredObject> stat(const base::Context& ctx, std::string_view name) override;
  std::chrono::milliseconds listing_lag() const override { return storage_.listing_lag(); }
  std::string where() const override { return storage_.where(); }

 private:
  template <typename Call>
  auto perform(Operation::Kind kind, std::string_view name, Call call);
  Operation begin(Operation::Kind kind, std::string_view name);
  void end(const Operation& operation);
  std::uint64_t seen_size(const backup::StoredObject& object) const;

  backup::Storage& storage_;
  mutable std::mutex mutex_;
  std::vector<Operation> operations_;
  std::size_t killed_at_ = 0;
  std::map<std::size_t, base::Code> failures_;
  std::set<std::size_t> lost_replies_;
  Callback before_, after_;
  std::multimap<std::string, std::uint64_t, std::less<>> flipped_;
  std::map<std::string, std::uint64_t, std::less<>> torn_;
};

}  // namespace muster::fakes
