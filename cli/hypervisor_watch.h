// Operations that go on until they are stopped and report as they go (`watch`, `events`), on many hypervisors at once:
// a thread and a worker for each. One that is lost is connected to again and again; one that never answered is given up
// on. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/context.h"
#include "base/error.h"

namespace muster::cli {

class HypervisorWatch {
 public:
  struct Request {
    std::string operation;
    std::chrono::milliseconds interval{0};  // its argument `interval_ms`
    std::chrono::milliseconds connect_patience{10'000};
  };
  // Called from all threads, each with the hypervisor's number; must not wait for the watch.
  struct Callbacks {
    std::function<void(std::size_t hypervisor, const nlohmann::json& message)> progress;
    std::function<void(std::size_t hypervisor, const base::Error& error)> lost;
  };

  // Starts at once. `uris` must outlive it, as what `events` refers to.
  HypervisorWatch(const std::vector<std::string>& uris, Request request, Callbacks callbacks, base::EventSink& events);
  HypervisorWatch(const HypervisorWatch&) = delete;
  HypervisorWatch& operator=(const HypervisorWatch&) = delete;
  // Ends all operations, and waits for them.
  ~HypervisorWatch();

  // Hypervisors that were not given up on.
  std::size_t left() const { return left_; }

 private:
  void run(std::size_t hypervisor);
  enum class Next { another_try, end };
  Next watch_once(std::size_t hypervisor, std::atomic<bool>& answered);

  const std::vector<std::string>& uris_;
  Request request_;
  Callbacks callbacks_;
  std::stop_source stop_;
  base::Context ctx_;
  std::atomic<std::size_t> left_;
  std::vector<std::jthread> threads_;
};

}  // namespace muster::cli
