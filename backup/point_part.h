// A part of a restore point, as a machine's definition: small enough to be read whole. Pure but for the store.
#pragma once

#include <string>

#include "backup/index.h"
#include "backup/restore_point.h"

namespace muster::backup {

inline constexpr std::uint64_t kMaxPartBytes = 64U << 20;

// Throws Error{not_found} where the point has no such part, Error{corrupt} where it is damaged or larger than any part,
// Error{key} for a key that does not read data, Error{io}.
base::Bytes read_part(const base::Context& ctx, const Repository& repository, const Index& index,
                      const RestorePoint& point, const std::string& part);

}  // namespace muster::backup
