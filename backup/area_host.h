// The machine that an area is on: where commands are run, over SSH or right here. The seam between what is asked of a
// machine and how it is reached.
#pragma once

#include <string>

#include "base/context.h"
#include "parallel-ssh/input_source.h"
#include "parallel-ssh/remote_command.h"

namespace muster::backup {

class AreaHost {
 public:
  virtual ~AreaHost() = default;

  // Runs `command` by a shell, with `input` (nullptr: none) as its standard input, and returns its exit status; 128 and
  // the signal where one ended it. Blocks; `sink` is called by this thread, and what it throws ends the command. Throws
  // Error{unreachable, timeout, key, refused, cancelled, io}. Thread-safe.
  virtual int run(const base::Context& ctx, const std::string& command, const ssh::InputSource* input,
                  ssh::OutputSink& sink) = 0;
};

}  // namespace muster::backup
