// The frame of every program: signals, arguments, settings, and the one place where an error becomes a message and an
// exit status. A command is a function of this frame.
#pragma once

#include <functional>

#include "base/context.h"
#include "cli/arguments.h"
#include "cli/console.h"
#include "cli/interrupts.h"
#include "cli/settings.h"

namespace muster::cli {

struct Program {
  const CommandRow& command;
  const Arguments& arguments;
  const Settings& settings;
  Console& console;
  Interrupts& interrupts;
  const base::Context& ctx;

  bool json() const { return settings.flag("json"); }
  bool quiet() const { return settings.flag("quiet"); }
};

// Runs `body` for the program of the command `name` and returns the exit status. Prints --help and --version itself.
int run_program(std::string_view name, int argc, char** argv, const std::function<int(Program&)>& body);

}  // namespace muster::cli
