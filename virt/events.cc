#include "virt/events.h"

#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "virt/libvirt_error.h"

namespace muster::virt {

using base::Code;
using base::Error;

struct EventWatch::Queue {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::deque<DomainEvent> waiting;
  std::size_t dropped = 0;
  bool closed = false;

  void put(DomainEvent event) {
    const std::lock_guard lock(mutex);
    if (waiting.size() >= kMaxWaiting) {
      ++dropped;
      return;
    }
    waiting.push_back(std::move(event));
    changed.notify_all();
  }
  void close() {
    const std::lock_guard lock(mutex);
    closed = true;
    changed.notify_all();
  }
};

namespace {

// libvirt holds on to the queue as long as it may call back.
template <typename Queue>
void* hold(const std::shared_ptr<Queue>& queue) {
  return new std::shared_ptr<Queue>(queue);
}

template <std::size_t N>
const char* word(const std::array<const char*, N>& words, int number) {
  return number >= 0 && static_cast<std::size_t>(number) < N ? words[static_cast<std::size_t>(number)] : "unknown";
}

// In the order of libvirt's enumerations.
constexpr auto kLifecycle = std::to_array<const char*>({"defined", "undefined", "started", "suspended", "resumed",
                                                        "stopped", "shut down", "suspended by guest", "crashed"});
constexpr auto kDefined = std::to_array<const char*>({"added", "updated", "renamed", "from a snapshot"});
constexpr auto kUndefined = std::to_array<const char*>({"removed", "renamed"});
constexpr auto kStarted = std::to_array<const char*>({"booted", "migrated", "restored", "from a snapshot", "woken up"});
constexpr auto kSuspended =
    std::to_array<const char*>({"paused", "migrated", "I/O error", "watchdog", "restored", "from a snapshot",
                                "API error", "post-copy", "post-copy failed"});
constexpr auto kResumed =
    std::to_array<const char*>({"unpaused", "migrated", "from a snapshot", "post-copy", "post-copy failed"});
constexpr auto kStopped = std::to_array<const char*>(
    {"shut down", "destroyed", "crashed", "migrated", "saved", "failed", "from a snapshot", "daemon"});
constexpr auto kShutdown = std::to_array<const char*>({"finished", "by the guest", "by the host"});
constexpr auto kGuestSuspended = std::to_array<const char*>({"memory", "disk"});
constexpr auto kCrashed = std::to_array<const char*>({"panicked", "crash loaded"});

std::string lifecycle_detail(int event, int detail) {
  switch (event) {
    case VIR_DOMAIN_EVENT_DEFINED:
      return word(kDefined, detail);
    case VIR_DOMAIN_EVENT_UNDEFINED:
      return word(kUndefined, detail);
    case VIR_DOMAIN_EVENT_STARTED:
      return word(kStarted, detail);
    case VIR_DOMAIN_EVENT_SUSPENDED:
      return word(kSuspended, detail);
    case VIR_DOMAIN_EVENT_RESUMED:
      return word(kResumed, detail);
    case VIR_DOMAIN_EVENT_STOPPED:
      return word(kStopped, detail);
    case VIR_DOMAIN_EVENT_SHUTDOWN:
      return word(kShutdown, detail);
    case VIR_DOMAIN_EVENT_PMSUSPENDED:
      return word(kGuestSuspended, detail);
    case VIR_DOMAIN_EVENT_CRASHED:
      return word(kCrashed, detail);
    default:
      return "";
  }
}

}  // namespace

// libvirt's callbacks, one for each kind, with the queue as their opaque argument.
struct EventCallbacks {
  template <typename Queue>
  struct Of {
    static Queue& queue(void* opaque) { return **static_cast<std::shared_ptr<Queue>*>(opaque); }
    static void release(void* opaque) { delete static_cast<std::shared_ptr<Queue>*>(opaque); }

    static void put(void* opaque, virDomainPtr domain, const char* kind, const std::string& what,
                    const std::string& detail) {
      std::array<char, VIR_UUID_STRING_BUFLEN> uuid{};
      virDomainGetUUIDString(domain, uuid.data());
      queue(opaque).put({.at = std::chrono::system_clock::now(),
                         .domain = virDomainGetName(domain),
                         .uuid = uuid.data(),
                         .kind = kind,
                         .what = what,
                         .detail = detail});
    }

    static int lifecycle(virConnectPtr, virDomainPtr domain, int event, int detail, void* opaque) {
      put(opaque, domain, "lifecycle", word(kLifecycle, event), lifecycle_detail(event, detail));
      return 0;
    }
    static void reboot(virConnectPtr, virDomainPtr domain, void* opaque) {
      put(opaque, domain, "reboot", "rebooted", "");
    }
    static void agent(virConnectPtr, virDomainPtr domain, int state, int reason, void* opaque) {
      static constexpr auto kStates = std::to_array<const char*>({"unknown", "connected", "disconnected"});
      static constexpr auto kReasons = std::to_array<const char*>({"", "domain started", "channel"});
      put(opaque, domain, "agent", word(kStates, state), word(kReasons, reason));
    }
    static void job(virConnectPtr, virDomainPtr domain, virTypedParameterPtr parameters, int count, void* opaque) {
      int operation = 0, success = 1;
      virTypedParamsGetInt(parameters, count, VIR_DOMAIN_JOB_OPERATION, &operation);
      virTypedParamsGetBoolean(parameters, count, VIR_DOMAIN_JOB_SUCCESS, &success);
      static constexpr auto kOperations =
          std::to_array<const char*>({"", "start", "save", "restore", "migration in", "migration out", "snapshot",
                                      "snapshot revert", "dump", "backup", "snapshot delete"});
      put(opaque, domain, "job", success != 0 ? "completed" : "failed", word(kOperations, operation));
    }
    static void block_job(virConnectPtr, virDomainPtr domain, const char* disk, int type, int status, void* opaque) {
      static constexpr auto kTypes =
          std::to_array<const char*>({"", "pull", "copy", "commit", "active commit", "backup"});
      static constexpr auto kStatus = std::to_array<const char*>({"completed", "failed", "canceled", "ready"});
      put(opaque, domain, "block-job", word(kStatus, status), std::string(disk) + ": " + word(kTypes, type));
    }
    static void io_error(virConnectPtr, virDomainPtr domain, const char* path, const char* alias, int action,
                         const char* reason, void* opaque) {
      static constexpr auto kActions = std::to_array<const char*>({"ignored", "paused", "reported"});
      const std::string why = reason == nullptr || *reason == '\0' ? "" : std::string(": ") + reason;
      put(opaque, domain, "io-error", word(kActions, action),
          std::string(alias == nullptr ? "" : alias) + " " + (path == nullptr ? "" : path) + why);
    }
    static void watchdog(virConnectPtr, virDomainPtr domain, int action, void* opaque) {
      static constexpr auto kActions =
          std::to_array<const char*>({"nothing", "paused", "reset", "powered off", "shut down", "debug", "inject-nmi"});
      put(opaque, domain, "watchdog", word(kActions, action), "");
    }
    static void device_removed(virConnectPtr, virDomainPtr domain, const char* alias, void* opaque) {
      put(opaque, domain, "device-removed", "removed", alias == nullptr ? "" : alias);
    }
    static void closed(virConnectPtr, int, void* opaque) { queue(opaque).close(); }
  };
};

EventWatch::EventWatch(const Connection& connection) : connection_(connection), queue_(std::make_shared<Queue>()) {
  using Callbacks = EventCallbacks::Of<Queue>;
  const std::array<std::pair<int, virConnectDomainEventGenericCallback>, 8> kinds{{
      {VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(Callbacks::lifecycle)},
      {VIR_DOMAIN_EVENT_ID_REBOOT, VIR_DOMAIN_EVENT_CALLBACK(Callbacks::reboot)},
      {VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(Callbacks::agent)},
      {VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, VIR_DOMAIN_EVENT_CALLBACK(Callbacks::job)},
      {VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, VIR_DOMAIN_EVENT_CALLBACK(Callbacks::block_job)},
      {VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON, VIR_DOMAIN_EVENT_CALLBACK(Callbacks::io_error)},
      {VIR_DOMAIN_EVENT_ID_WATCHDOG, VIR_DOMAIN_EVENT_CALLBACK(Callbacks::watchdog)},
      {VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, VIR_DOMAIN_EVENT_CALLBACK(Callbacks::device_removed)},
  }};
  for (const auto& [kind, callback] : kinds) {
    void* opaque = hold(queue_);
    const int registered =
        virConnectDomainEventRegisterAny(connection_.handle(), nullptr, kind, callback, opaque, Callbacks::release);
    if (registered >= 0) {
      registrations_.push_back(registered);
      continue;
    }
    const bool last = kind == kinds.back().first && registrations_.empty();
    if (last || !last_is_unsupported()) throw_last("watch the domains of " + connection_.uri());
    Callbacks::release(opaque);
  }
  // Not every driver can tell that it is gone; those that cannot are in this process.
  void* opaque = hold(queue_);
  if (virConnectRegisterCloseCallback(connection_.handle(), Callbacks::closed, opaque, Callbacks::release) != 0)
    Callbacks::release(opaque);
}

EventWatch::~EventWatch() {
  for (const int registered : registrations_) virConnectDomainEventDeregisterAny(connection_.handle(), registered);
  virConnectUnregisterCloseCallback(connection_.handle(), EventCallbacks::Of<Queue>::closed);
}

std::optional<DomainEvent> EventWatch::next(const base::Context& ctx, std::chrono::milliseconds patience) {
  std::unique_lock lock(queue_->mutex);
  const auto ready = [&] { return !queue_->waiting.empty() || queue_->closed; };
  if (!queue_->changed.wait_for(lock, ctx.stop, patience, ready)) {
    ctx.check_stop();
    return std::nullopt;
  }
  if (queue_->waiting.empty()) throw Error(Code::unreachable, "the connection to " + connection_.uri() + " is lost");
  DomainEvent event = std::move(queue_->waiting.front());
  queue_->waiting.pop_front();
  return event;
}

std::size_t EventWatch::dropped() {
  const std::lock_guard lock(queue_->mutex);
  return std::exchange(queue_->dropped, 0);
}

}  // namespace muster::virt
