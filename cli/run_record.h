// Keeps what became of each host, tells of it as it happens (a line for each that is not ok, progress on a terminal),
// and closes the run: counts, names of failed hosts folded, a file of them, the exit status.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/context.h"
#include "cli/console.h"
#include "cli/run_output.h"
#include "parallel-ssh/fleet.h"

namespace muster::cli {

// What a run is over, in words: `host`, `hosts`.
struct Noun {
  const char* one;
  const char* many;
};
inline constexpr Noun kHosts{"host", "hosts"};
inline constexpr Noun kMachines{"machine", "machines"};
inline constexpr Noun kImages{"image", "images"};
inline constexpr Noun kHypervisors{"hypervisor", "hypervisors"};

class RunRecord : public ssh::RunObserver {
 public:
  enum class Telling {
    each_host,  // --verbose: also those that are ok
    everything,
    failures_only,  // --quiet
    nothing,        // --json: it is all in the results
  };

  RunRecord(Console& console, const HostNames& names, Telling telling, const Noun& noun = kHosts);

  std::unique_ptr<ssh::HostOutput> started(std::size_t host) override;
  void skipped(const ssh::HostReport& report) override;

  // What a host at work is at, for the progress line: `43 %`.
  void at_work(std::size_t host, const std::string& text);

  // Names of the hosts at work now, folded.
  std::string running() const;
  // Ends the progress line and prints the closing count. `took` is the whole run's.
  void close(const ssh::FleetCounts& counts, std::chrono::milliseconds took);

  // One name a line: everything that is not ok.
  std::string failed_lines() const;
  // The largest exit status of any host; 255 if there is a host without one.
  int largest_status() const;

 private:
  class Host;
  bool chatty() const { return telling_ == Telling::everything || telling_ == Telling::each_host; }
  void finished(const ssh::HostReport& report);
  void tell(const ssh::HostReport& report);
  void refresh_progress();
  std::string folded(ssh::HostState state) const;

  Console& console_;
  const HostNames& names_;
  Telling telling_;
  Noun noun_;
  mutable std::mutex mutex_;
  std::vector<std::optional<ssh::HostState>> states_;
  std::map<std::size_t, std::string> running_;  // and what each is at
  std::size_t done_ = 0, not_ok_ = 0;
  int largest_status_ = 0;
  std::jthread ticker_;  // last: it uses all of the above
};

}  // namespace muster::cli
