// The exit statuses of cli.md, and what leads to which.
#pragma once

#include <string>

#include "base/error.h"
#include "parallel-ssh/fleet.h"

namespace muster::cli {

enum ExitStatus : int {
  kAllWorked = 0,
  kNothingWorked = 1,
  kUsage = 2,
  kPartFailed = 3,
  kUnsupported = 4,
  kRefused = 5,
  kNoRepository = 10,
  kBusy = 11,
  kKey = 12,
  kDamage = 13,
  kNoSpace = 14,
  kUnreachable = 15,
  kInterrupted = 130,
};

// Not just something that does not exist, but the repository: a status of its own.
class NoRepository : public base::Error {
 public:
  explicit NoRepository(const std::string& text) : Error(base::Code::not_found, text) {}
};

int exit_status(base::Code code);
int exit_status(const base::Error& error);
// The other way, of a program of ours: what its status stands for; Code::io for any that stands for several.
base::Code code_of_status(int status);
int exit_status(const ssh::FleetCounts& counts);

}  // namespace muster::cli
