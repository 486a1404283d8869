// Whether somebody answers on a machine's TCP port, seen from where this runs: one that accepts, or an SSH server that
// speaks, for a port that only accepts may be a relay's, or a guest's that is not up. Thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "vm/endpoint.h"

namespace muster::vm {

enum class Answer {
  accepts,  // a connection
  ssh,      // the identification string, as RFC 4253, section 4.2 has it
};

struct Knock {
  std::optional<std::string> host;  // the first that answered
  std::string complaint;            // why none did: `192.0.2.7 refuses, 192.0.2.8 is silent`
};
// Tries all hosts at once, names with all their addresses, until one answers, all are known not to, or `patience` is
// over, which also bounds the look-up of names. Throws base::Error{cancelled}.
Knock knock(const base::Context& ctx, const std::vector<Endpoint>& endpoints, Answer answer,
            std::chrono::milliseconds patience);

}  // namespace muster::vm
