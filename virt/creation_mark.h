// The mark that a machine carries in its metadata while it is being made: who makes it, and which volumes are made for
// it. What a killed program leaves is recognised by it. Pure functions but for the two about a domain.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "virt/domain.h"

namespace muster::virt {

struct VolumeName {
  std::string pool, name;
};

struct CreationMark {
  std::string host;     // of the maker, for people
  std::string machine;  // the maker's host and process space, since its boot: pids compare only where this is the same
  std::int64_t pid = 0;
  std::uint64_t started = 0;  // of the process, as /proc/PID/stat counts: a pid alone may be somebody else's by now
  std::string since;          // RFC 3339
  std::vector<VolumeName> volumes;
};

// As an element for <metadata>, with its namespace.
std::string to_xml(const CreationMark& mark);
// nullopt: the element is none.
std::optional<CreationMark> creation_mark(const std::string& element);
std::optional<CreationMark> creation_mark(const Domain& domain);

}  // namespace muster::virt
