// The ways to show what hosts print: live lines, lines in order of the hosts, gathered groups, JSON, files. Each is an
// observer of a run; a run has one of the first four, and the last beside it if asked.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/console.h"
#include "parallel-ssh/fleet.h"

namespace muster::cli {

using HostNames = std::vector<std::string>;  // by number in the run

enum class Labels { shown, hidden };

// Each line as soon as it is whole: standard output to ours as `HOST: line`, standard error likewise to ours.
std::unique_ptr<ssh::RunObserver> live_output(Console& console, const HostNames& names, Labels labels,
                                              const std::string& spill_directory);

// The same lines, without the mixing: each host's when it is done and all before it in the run are.
std::unique_ptr<ssh::RunObserver> ordered_output(Console& console, const HostNames& names, Labels labels,
                                                 const std::string& spill_directory);

enum class EarlierFiles { replaced, appended_to };

// DIR/HOST and, where there is any, DIR/HOST.err, raw. Makes the directory. Throws base::Error{io}.
std::unique_ptr<ssh::RunObserver> file_output(const HostNames& names, const std::string& directory,
                                              EarlierFiles earlier);

// One `result` line a host, when it is done.
std::unique_ptr<ssh::RunObserver> json_output(Console& console, const HostNames& names,
                                              const std::string& spill_directory);

// Keeps equal output; print() shows it once, under folded names.
class GatheredOutput : public ssh::RunObserver {
 public:
  enum class Form {
    whole,        // every group's output
    differences,  // of groups after the first, what diff(1) finds against the first
  };
  // Throws base::Error for spilled output that cannot be read, or a diff that cannot be run.
  virtual void print(Form form) = 0;
};
std::unique_ptr<GatheredOutput> gathered_output(Console& console, const HostNames& names,
                                                const std::string& spill_directory);

// Hands everything to all of `observers`.
std::unique_ptr<ssh::RunObserver> all_of(std::vector<ssh::RunObserver*> observers);

}  // namespace muster::cli
