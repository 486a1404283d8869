// What runs over many hosts and over many machines share: how many at once, what is told as it happens, Ctrl-C, the way
// a run ends.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "cli/program.h"
#include "cli/run_output.h"
#include "cli/run_record.h"
#include "parallel-ssh/fleet.h"

namespace muster::cli {

// Whether the count at the end is told where all is well.
enum class Closing { usual, failures_only };

// What became of a unit whose work threw.
ssh::HostReport report_of(const base::Error& error);
// The other way round: what one that did not come to its end failed of.
base::Code code_of(ssh::HostState state);
// Does the work of a unit: what became of it, by whether base::Error was thrown.
ssh::HostReport report_of(const std::function<void()>& work);

class UnitRun {
 public:
  UnitRun(const Program& program, const HostNames& names, const Noun& noun, Closing closing = Closing::usual);

  // Runs `task` on all units, shown by `output` (may be nullptr), and closes the run: `before_closing` first, then the
  // count, --save-failed, the summary of --json, with the fields of `summary`. Returns the exit status; `judge` may
  // replace it.
  using Judge = std::function<int(int status)>;
  using Summary = std::function<nlohmann::json()>;
  int execute(const ssh::HostTask& task, ssh::RunObserver* output, const std::function<void()>& before_closing = {},
              const Judge& judge = {}, const Summary& summary = {});

  // Units at once, where --fanout does not say; before execute().
  void usual_fanout(int units) { usual_fanout_ = units; }

  // What a unit at work is at, for the progress line.
  void at_work(std::size_t unit, const std::string& text) { record_.at_work(unit, text); }

 private:
  ssh::FleetOptions options() const;
  void announce_interrupts();
  int close(const ssh::FleetCounts& counts, std::chrono::milliseconds took, const Judge& judge, const Summary& more);

  const Program& program_;
  const HostNames& names_;
  Noun noun_;
  RunRecord record_;
  std::optional<int> usual_fanout_;
};

}  // namespace muster::cli
