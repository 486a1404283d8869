// The hypervisors of a command, each behind a worker process of its own (muster-hypervisor-worker): a call into libvirt
// cannot be cancelled, but a process can be killed, so that a hypervisor that hangs costs its own deadline and nobody
// else's. Workers are started when they are first needed and end with this object. Thread-safe.
//
// Protocol, JSON Lines over the worker's standard streams: `{"id":N,"operation":NAME,"arguments":{...}}` and
// `{"cancel":N}` to it; `{"id":N,"result":{...}}`, `{"id":N,"error":{"code":...,"text":...}}`,
// `{"id":N,"progress":{...}}` and `{"id":N,"note":TEXT}` or `"warning"` (each text is told once) from it, after one
// line
// `{"connected":true}` or `{"error":{...}}`.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/context.h"

namespace muster::cli {

// A program of ours, which lies beside this one.
std::string sibling_program(const std::string& name);
// The program of the workers, which lies beside this one.
std::string worker_program();

class HypervisorWorkers {
 public:
  // How long one call may take, from when its hypervisor is connected; then it is given up. nullopt: as long as it
  // takes.
  using Patience = std::optional<std::chrono::milliseconds>;
  using Progress = std::function<void(const nlohmann::json&)>;

  // `connect_patience`: from the start of a worker until its hypervisor answered. `end_patience`: for what a worker
  // undoes when it is told to end.
  static constexpr std::chrono::seconds kUsualEndPatience{2};
  HypervisorWorkers(const base::Context& ctx, std::chrono::milliseconds connect_patience,
                    std::chrono::milliseconds end_patience = kUsualEndPatience);
  HypervisorWorkers(const HypervisorWorkers&) = delete;
  HypervisorWorkers& operator=(const HypervisorWorkers&) = delete;
  ~HypervisorWorkers();

  // Runs an operation on the hypervisor `uri` and returns its result. Throws what the operation threw there, and
  // base::Error{unreachable} when the hypervisor does not answer, {timeout} after `patience`, {cancelled}: the
  // operation is told to stop, and given a while to undo what it began.
  nlohmann::json call(const std::string& uri, const std::string& operation, const nlohmann::json& arguments,
                      Patience patience, const Progress& progress = {});

 private:
  class Worker;
  Worker& worker(const std::string& uri);

  const base::Context& ctx_;
  std::chrono::milliseconds connect_patience_, end_patience_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Worker>> workers_;
};

}  // namespace muster::cli
