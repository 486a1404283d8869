// Says that somebody is at work in a repository, and with which restore points: maintenance leaves those, and what is
// being written, alone. A lease saves work and never decides what is safe (muster-repository(7), "Leases").
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "backup/content.h"
#include "backup/repository.h"
#include "backup/restore_point.h"

namespace muster::backup {

enum class LeaseKind { writer, reader, maintenance };
const char* name_of(LeaseKind kind);

// How long one holds without being renewed, by the store's clock, and how often that happens.
constexpr std::chrono::minutes kLeaseTime{30}, kLeaseRenewal{5};

struct LeaseHolding {
  LeaseKind kind = LeaseKind::reader;
  std::vector<Content> contents;  // of the restore points that are being read or built upon
};

// Holds one until it goes; a thread of its own renews it. A renewal is a new object.
class Lease {
 public:
  // Throws what putting it throws.
  Lease(const base::Context& ctx, const Repository& repository, LeaseHolding holding,
        std::chrono::milliseconds renewal = kLeaseRenewal);
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease();

  const ObjectId& session() const { return session_; }
  // Other contents from now on.
  void hold(const base::Context& ctx, LeaseHolding holding);

 private:
  void put(const base::Context& ctx);
  void give_back(const std::string& name) noexcept;
  void renew(const std::stop_token& stop, std::chrono::milliseconds every);

  const Repository& repository_;
  const ObjectId session_ = random_object_id();
  std::mutex mutex_;
  std::condition_variable_any wake_;
  LeaseHolding holding_;
  std::uint32_t number_ = 0;
  std::optional<std::chrono::sys_seconds> since_;  // by the store's clock
  std::string current_;
  std::jthread thread_;
};

struct FoundLease {
  ObjectId session;
  LeaseKind kind = LeaseKind::reader;
  std::string host{};
  std::vector<Content> contents{};
  std::chrono::sys_seconds first_seen{};  // when its session began, by the store's clock
  std::chrono::sys_seconds renewed{};
  std::vector<std::string> objects{};
  bool expired = false;
};
// All of them, by session. What cannot be read is warned of and passed over. `now`: by the store's clock.
std::vector<FoundLease> find_leases(const base::Context& ctx, const Repository& repository,
                                    std::chrono::sys_seconds now);
// The store's clock, by an object put and removed for that.
std::chrono::sys_seconds store_time(const base::Context& ctx, const Repository& repository);

}  // namespace muster::backup
