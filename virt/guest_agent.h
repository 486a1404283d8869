// The guest agent: whether one answers, and its commands as JSON text. Each call holds libvirt's lock on the domain for
// at most its patience. Thread-safe.
#pragma once

#include <chrono>
#include <string>

#include "virt/domain.h"

namespace muster::virt {

// The domain has a channel for an agent and something is connected to it.
bool agent_connected(const Domain& domain);
// It answers within `patience`.
bool agent_answers(const Domain& domain, std::chrono::seconds patience);
// Throws base::Error{unsupported} where there is no agent, {timeout}.
std::string agent_command(const Domain& domain, const std::string& command, std::chrono::seconds patience);

}  // namespace muster::virt
