// Does one thing on many hosts: so many at once, in batches if asked, until too many have failed or somebody stops it.
// What the thing is, a HostTask knows; what is seen of it, a RunObserver shows. One thread for each host at work, and
// no more threads than the fanout.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "base/quantity.h"
#include "parallel-ssh/remote_command.h"

namespace muster::ssh {

enum class HostState { ok, failed, unreachable, timeout, skipped };
const char* name_of(HostState state);

// What became of one host.
struct HostReport {
  std::size_t host = 0;  // its number in the run
  HostState state = HostState::skipped;
  std::optional<int> status;  // the command's exit status
  std::string signal;         // the signal that ended it
  std::string error;          // why it is not ok, where the status does not tell
  std::string note;           // worth saying although it is no failure
  std::chrono::milliseconds duration{0};
};

// Where one host's output goes. Made when work on it starts, used by one thread. What its functions throw as
// base::Error becomes the host's failure.
class HostOutput : public OutputSink {
 public:
  // Once, last.
  virtual void finished(const HostReport& report) = 0;
};

// Called from all threads of a run.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual std::unique_ptr<HostOutput> started(std::size_t host) = 0;
  // For a host on which nothing was started, or whose output could not be kept.
  virtual void skipped(const HostReport& report) = 0;
};

// Does the work on one host and says what became of it. Throws nothing.
using HostTask = std::function<HostReport(std::size_t host, OutputSink& sink)>;

struct FleetOptions {
  int fanout = 64;
  std::optional<base::Share> batch;     // --serial: a batch is done before the next starts
  std::optional<base::Share> max_fail;  // no new hosts once more than these have failed
};

struct FleetCounts {
  std::size_t ok = 0, failed = 0, unreachable = 0, timeout = 0, skipped = 0;
  std::size_t total() const { return ok + failed + unreachable + timeout + skipped; }
};

// Blocks until every host is done or skipped. `drain`: starts no further hosts once requested.
// Throws base::Error{usage} when a batch would hold no host.
FleetCounts run_fleet(std::size_t hosts, const FleetOptions& options, const HostTask& task, RunObserver& observer,
                      const std::stop_token& drain);

// As many hosts at once as the machine's processors and descriptors allow, at least 1. Raises the soft limit of
// descriptors to the hard one. `wanted` nullopt: 64, or 16 for each processor if that is more.
int bounded_fanout(std::optional<int> wanted);

// Stacks of threads made from now on are small, and malloc keeps to a few arenas. Call first thing in main.
void prepare_process_for_many_threads();

}  // namespace muster::ssh
