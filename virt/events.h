// What happens to the domains of a connection, as libvirt tells of it. Events come in the thread of libvirt's event
// loop and wait here until they are fetched; more than kMaxWaiting at once are not kept, which is told. One thread
// fetches.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "virt/connection.h"

namespace muster::virt {

struct DomainEvent {
  std::chrono::system_clock::time_point at;
  std::string domain, uuid;
  std::string kind;    // `lifecycle`, `reboot`, `agent`, `job`, `block-job`, `io-error`, `watchdog`, `device-removed`
  std::string what;    // `started`, `connected`, `completed`, `paused`, ...
  std::string detail;  // why, or of which device; may be empty
};

class EventWatch {
 public:
  static constexpr std::size_t kMaxWaiting = 10'000;

  // Of those kinds that the driver has. Throws base::Error{unsupported} for a driver without any.
  explicit EventWatch(const Connection& connection);
  EventWatch(const EventWatch&) = delete;
  EventWatch& operator=(const EventWatch&) = delete;
  ~EventWatch();

  // The next one; nullopt: none within `patience`. Throws base::Error{unreachable} once the connection is lost,
  // {cancelled}.
  std::optional<DomainEvent> next(const base::Context& ctx, std::chrono::milliseconds patience);
  // How many could not be kept since this was last asked.
  std::size_t dropped();

 private:
  struct Queue;
  Connection connection_;
  std::shared_ptr<Queue> queue_;
  std::vector<int> registrations_;
};

}  // namespace muster::virt
