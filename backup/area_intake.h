// Takes the files of one area into a repository: what is there now is listed on the machine, and what is not as its
// parent has it is sent as a tar stream, cut by its content and stored. create.cc makes a restore point of it.
#pragma once

#include "backup/intake.h"

namespace muster::backup {

// `parent`: the same area earlier; nullptr without. Files that cannot be read, or change while they are read, are
// warned of and counted. Throws Error{not_found} where there is no such directory, Error{unsupported} for a machine
// without the tools that it takes, what AreaHost::run() throws, and Error{corrupt, io}.
AreaPoint take_in_area(const base::Context& ctx, Intake& intake, const AreaSource& source, const AreaPoint* parent);

// What there is to do, without doing it.
struct AreaForecast {
  std::uint64_t entries = 0, unchanged = 0, size_bytes = 0, sent_bytes = 0;
};
AreaForecast look_at_area(const base::Context& ctx, const Repository& repository, const Index& index,
                          const AreaSource& source, const AreaPoint* parent);

}  // namespace muster::backup
