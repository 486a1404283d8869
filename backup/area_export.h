// Files of an area out of a restore point: one, a tree, or all. One call is one thread's.
#pragma once

#include <functional>
#include <string>

#include "backup/area_tree.h"
#include "backup/entry_sink.h"
#include "backup/index.h"
#include "backup/progress.h"
#include "backup/rate_limit.h"
#include "backup/repository.h"

namespace muster::backup {

struct AreaExport {
  AreaTree tree;
  std::string path{};    // of a file or directory in the area; empty: all
  std::string prefix{};  // of the paths that the sink gets: these end with what is below `path`
  std::uint64_t bytes_per_second = 0;
};

struct ExportCounts {
  std::uint64_t entries = 0, files = 0, bytes = 0;
  std::uint64_t failed = 0;  // of the entries; each was warned of
};

// Throws Error{not_found} where there is no such path, Error{key} for a key that reads no data, what the sink throws
// for good, and Error{io, cancelled}.
ExportCounts export_area(const base::Context& ctx, const Repository& repository, const Index& index,
                         const AreaExport& what, EntrySink& sink, Progress& progress);

// The bytes of one file, holes as zeroes. Throws Error{corrupt} where some are missing or damaged, and what `take`
// throws.
void read_area_file(const base::Context& ctx, const Repository& repository, const Index& index, const AreaTree& tree,
                    const AreaItem& item, const std::function<void(base::ByteView)>& take);

}  // namespace muster::backup
