// How far a machine that is booted for a try is to come. A value, without libvirt: boot_check.h does the trying. Pure
// functions.
#pragma once

#include <string>
#include <string_view>

namespace muster::vm {

// What a machine is to reach.
struct BootGoal {
  enum class Kind {
    agent,   // it answers
    ssh,     // a server's identification, through a port of this host's loopback
    serial,  // a line on the serial console that matches
  };
  Kind kind = Kind::agent;
  std::string expression{};  // of `serial`, ECMAScript's

  // `agent`, `ssh`, `serial:EXPRESSION`.
  std::string text() const;
};
// Throws base::Error{usage} for what is none, and for an expression that cannot be read.
BootGoal parse_boot_goal(const std::string& text);

// Whether a line of `text`, its first so many bytes, matches. The goal must be `serial`.
bool any_line_matches(const BootGoal& goal, std::string_view text);

}  // namespace muster::vm
