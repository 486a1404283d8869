#include "cli/exit_status.h"

namespace muster::cli {

int exit_status(base::Code code) {
  using base::Code;
  switch (code) {
    case Code::usage:
    case Code::not_found:
      return kUsage;
    case Code::unsupported:
      return kUnsupported;
    case Code::refused:
      return kRefused;
    case Code::busy:
      return kBusy;
    case Code::key:
      return kKey;
    case Code::corrupt:
      return kDamage;
    case Code::no_space:
      return kNoSpace;
    case Code::unreachable:
      return kUnreachable;
    case Code::cancelled:
      return kInterrupted;
    case Code::timeout:
    case Code::io:
      return kNothingWorked;
  }
  return kNothingWorked;
}

base::Code code_of_status(int status) {
  using base::Code;
  for (const auto code :
       {Code::unsupported, Code::refused, Code::busy, Code::key, Code::corrupt, Code::no_space, Code::unreachable})
    if (exit_status(code) == status) return code;
  return Code::io;
}

int exit_status(const base::Error& error) {
  return dynamic_cast<const NoRepository*>(&error) != nullptr ? kNoRepository : exit_status(error.code());
}

int exit_status(const ssh::FleetCounts& counts) {
  if (counts.ok == counts.total()) return kAllWorked;
  if (counts.ok > 0) return kPartFailed;
  return counts.failed + counts.timeout > 0 ? kNothingWorked : kUnreachable;
}

}  // namespace muster::cli
