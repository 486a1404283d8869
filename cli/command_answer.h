// One request on one host, and what it wrote, kept. Thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/error.h"
#include "parallel-ssh/host_runner.h"

namespace muster::cli {

inline constexpr std::size_t kMaxKeptOutput = 1U << 20;

struct CommandAnswer {
  std::optional<int> status;         // of the command
  std::string output;                // both streams, at most kMaxKeptOutput bytes
  std::optional<base::Error> error;  // why there is no status
  std::string note;                  // worth saying although it is no failure
};
// Throws nothing.
CommandAnswer ask_host(const ssh::HostRunner& runner, const ssh::Target& target, const ssh::RunRequest& request);

}  // namespace muster::cli
