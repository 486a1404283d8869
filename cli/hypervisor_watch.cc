#include "cli/hypervisor_watch.h"

#include <condition_variable>
#include <mutex>

#include <nlohmann/json.hpp>

#include "cli/hypervisor_workers.h"
#include "parallel-ssh/fleet.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

constexpr std::chrono::seconds kUntilNextTry{5};

void pause_for(const std::stop_token& stop, std::chrono::milliseconds time) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, time, [] { return false; });
}

}  // namespace

HypervisorWatch::HypervisorWatch(const std::vector<std::string>& uris, Request request, Callbacks callbacks,
                                 base::EventSink& events)
    : uris_(uris),
      request_(std::move(request)),
      callbacks_(std::move(callbacks)),
      ctx_{.stop = stop_.get_token(), .events = &events},
      left_(uris.size()) {
  ssh::bounded_fanout(std::nullopt);  // for its other work: as many descriptors as may be had
  for (std::size_t i = 0; i < uris_.size(); ++i) threads_.emplace_back([this, i] { run(i); });
}

HypervisorWatch::~HypervisorWatch() {
  stop_.request_stop();
  threads_.clear();
}

void HypervisorWatch::run(std::size_t hypervisor) {
  // The first time without an answer is most likely a wrong name; what was there once may come back.
  std::atomic<bool> answered = false;
  while (watch_once(hypervisor, answered) == Next::another_try) pause_for(ctx_.stop, kUntilNextTry);
  --left_;
}

HypervisorWatch::Next HypervisorWatch::watch_once(std::size_t hypervisor, std::atomic<bool>& answered) {
  try {
    // Of its own: a worker that is lost stays lost.
    HypervisorWorkers workers(ctx_, request_.connect_patience);
    workers.call(uris_[hypervisor], request_.operation, {{"interval_ms", request_.interval.count()}}, std::nullopt,
                 [&](const json& message) {
                   answered = true;
                   callbacks_.progress(hypervisor, message);
                 });
    return Next::end;
  } catch (const Error& e) {
    if (ctx_.stop.stop_requested()) return Next::end;
    callbacks_.lost(hypervisor, e);
    return answered && e.code() != Code::unsupported ? Next::another_try : Next::end;
  }
}

}  // namespace muster::cli
