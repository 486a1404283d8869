// Runs qemu-img to its end, and tells what QEMU's programs complain of. Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/error.h"

namespace muster::disk {

struct ProgramLimits {
  std::chrono::milliseconds patience{60'000};
  std::size_t output_bytes = 4U << 20;
};

// What it wrote on standard output. Errors begin with `action` and end with what it wrote on standard error.
// Throws Error{unsupported} where the program is not installed, Error{busy} for an image that another process has
// locked, Error{io} for any other failure, Error{timeout, cancelled}, Error{corrupt} for more output than the limit.
std::string run_qemu_program(const base::Context& ctx, const std::string& action, const std::vector<std::string>& argv,
                             const ProgramLimits& limits = {});

// The error that one of QEMU's programs ended with, from its exit code and what it wrote.
base::Error qemu_error(const std::string& action, int exit_code, std::string_view complaint);

// QEMU takes what is before a colon for a protocol, and a dash for an option; not so in an absolute path.
std::string path_for_qemu(const std::string& path);

}  // namespace muster::disk
