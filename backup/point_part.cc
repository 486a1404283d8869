#include "backup/point_part.h"

#include <algorithm>

#include "backup/point_disk.h"
#include "base/error.h"

namespace muster::backup {

using base::Code;
using base::Error;

base::Bytes read_part(const base::Context& ctx, const Repository& repository, const Index& index,
                      const RestorePoint& point, const std::string& part) {
  const auto found =
      std::find_if(point.parts.begin(), point.parts.end(), [&](const PartPoint& one) { return one.part == part; });
  if (found == point.parts.end()) throw Error(Code::not_found, "restore point " + hex(point.id) + " has no " + part);
  if (found->map.size_bytes > kMaxPartBytes)
    throw Error(Code::corrupt, "restore point " + hex(point.id) + ": its " + part + " is too large");
  PointDisk bytes(repository, index, found->map, {.threads_ahead = 1, .name = part});
  base::Bytes all(static_cast<std::size_t>(bytes.size_bytes()));
  bytes.read(ctx, 0, all);
  return all;
}

}  // namespace muster::backup
