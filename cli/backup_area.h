// What `muster backup` does with a restore point of an area: files listed, shown, read, compared, restored. Each
// returns the exit status.
#pragma once

#include <string>

#include "backup/restore_point.h"
#include "cli/backup_point.h"
#include "cli/backup_repository.h"
#include "cli/program.h"

namespace muster::cli {

struct AreaOfPoint {
  const Program& program;
  const OpenedRepository& opened;
  const backup::ListedPoint& listed;  // has an area
};

// `path`: as the user writes it, from the area on. ls, cat.
int list_area_files(const AreaOfPoint& point, const std::string& path);
int print_area_file(const AreaOfPoint& point, const std::string& path);
// show POINT PATH: one path, or all that a glob matches.
int show_area_files(const AreaOfPoint& point, const std::string& pattern);
// diff of two areas.
int compare_areas(const AreaOfPoint& from, const AreaOfPoint& to);
int restore_area(const AreaOfPoint& point, const std::optional<std::string>& path);

// `/a//b/` as the listing has it: `a/b`. Throws base::Error{usage} for what leads out.
std::string path_in_area(const std::string& path);

}  // namespace muster::cli
