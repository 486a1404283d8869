// What the driver behind a connection can do: asked of libvirt by calls that change nothing, never concluded from the
// driver's name. Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "virt/connection.h"

namespace muster::virt {

enum class Answer {
  yes,      // the driver has the call
  no,       // libvirt says it does not
  unknown,  // cannot be asked without a domain, or the question itself went wrong
};
const char* name_of(Answer answer);

struct Capability {
  std::string name;  // `snapshots`, `backup`, ...
  Answer answer;
  std::string detail;  // libvirt's words where the answer is not yes
};

// Asks with `probe`, any domain of the connection, where a question needs one.
std::vector<Capability> capabilities(const Connection& connection, const std::optional<Domain>& probe);

}  // namespace muster::virt
