// Commands inside a guest, through its agent. For machines whose agent answers and allows them; many distributions'
// agents do not. What the agent says is a guest's word, and may be anything. Blocks at most as long as it is given, and
// the seconds that libvirt gives an agent for each answer. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "virt/domain.h"

namespace muster::vm {

struct GuestResult {
  int status = -1;     // of the program; -1: a signal ended it
  std::string output;  // what it said, both streams, at most 64 KiB of each
};

// `argv[0]` is looked up by the guest. Throws base::Error{unsupported} where no agent answers or it does not run
// commands, {timeout}, {cancelled}.
GuestResult run_in_guest(const base::Context& ctx, const virt::Domain& domain, const std::vector<std::string>& argv,
                         std::chrono::seconds patience);

// The agent's answers to guest-exec and guest-exec-status, as JSON text: the number of the process, and what became of
// it; nullopt: it runs still. Throw base::Error{unsupported} for what makes no sense.
std::int64_t started_process(const std::string& answer);
std::optional<GuestResult> ended_process(const std::string& answer);

}  // namespace muster::vm
