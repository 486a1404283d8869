// How far a machine is to have come before somebody goes on. A value, without libvirt: wait_for.h does the waiting.
// Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace muster::vm {

struct Milestone {
  enum class Kind {
    running,
    off,
    ip,     // an address that is known
    agent,  // that answers
    ssh,    // a server's identification, seen from where the waiting is done
    port,   // a connection that is accepted, seen from there as well
  };
  Kind kind = Kind::running;
  // Of `ssh` and `port`.
  std::uint16_t number = 22;
  std::string host = {};  // name or address, where it listens; empty: any address that its hypervisor knows of
};

// `running`, `off`, `ip`, `agent`, `ssh`, `port:N`. Throws base::Error{usage} naming these.
Milestone parse_milestone(const std::string& text);

nlohmann::json to_json(const Milestone& milestone);
// Throws base::Error{usage}, nlohmann::json::exception.
Milestone milestone_from_json(const nlohmann::json& fields);

}  // namespace muster::vm
