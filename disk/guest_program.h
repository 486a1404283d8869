// Runs a program of others on what a guest wrote, to its end: it is looked for where administrators' programs lie, its
// output goes to a callback as it comes, and it is killed when it says nothing for too long. Any thread.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"

namespace muster::disk {

struct GuestProgram {
  std::string action;                          // what errors begin with
  std::vector<std::string> argv;               // the program's name first
  std::string package;                         // what an error says to install
  std::chrono::milliseconds patience{60'000};  // for the next output, or the end
};

// What all of them are run with, in addition to ours.
const std::vector<std::string>& guest_program_environment();

struct GuestProgramEnd {
  int code = -1;          // -1: a signal ended it
  std::string complaint;  // of standard error; on one line
};

// Throws Error{unsupported} where it is not installed, Error{timeout, cancelled}, and what `take` throws.
GuestProgramEnd run_guest_program(const base::Context& ctx, const GuestProgram& program,
                                  const std::function<void(std::string_view)>& take);

struct GuestProgramOutput {
  GuestProgramEnd end;
  std::string text;
};
// All of its output. Error{corrupt} also for more than `most_bytes`.
GuestProgramOutput run_guest_program(const base::Context& ctx, const GuestProgram& program, std::size_t most_bytes);

}  // namespace muster::disk
