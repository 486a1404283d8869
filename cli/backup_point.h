// Which restore point and disk a word of the command line means: `ab12cd34`, `web01@latest`, `web01@2026-11-22T02:00`,
// each perhaps with `:DISK` or `:/path`, or both, after it. Pure functions, but for the local time zone.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/repository.h"
#include "backup/restore_point.h"
#include "base/context.h"

namespace muster::cli {

struct PointWord {
  std::string point;  // an id's beginning, or NAME@WHEN
  std::optional<std::string> disk;
  std::optional<std::string> path;  // from its slash on
};
// `:DISK` after a time of day with minutes only would be its seconds where it has two digits. Throws
// base::Error{usage} for an empty part.
PointWord parse_point_word(std::string_view word);

// Of `points`, by time as list_points() has them. Throws base::Error{usage} naming the candidates where it is none or
// several.
const backup::ListedPoint& find_point(const std::vector<backup::ListedPoint>& points, const std::string& point);
// The disk, by its name. Without one: the only one; throws base::Error{usage} naming all where there are several.
const backup::DiskPoint& find_disk(const backup::ListedPoint& point, const std::optional<std::string>& disk);

// `2026-11-22` (the end of that day), `2026-11-22T02:00`, `2026-11-22T02:00:30`, local time, or with Z, UTC.
// Throws base::Error{usage}.
std::chrono::sys_seconds parse_point_time(std::string_view text);

// As the above reads it, in local time; and the first digits of an id, as many as tell `points` apart, 8 at least.
std::string local_time(std::chrono::sys_seconds time);
std::size_t digits_needed(const std::vector<backup::ListedPoint>& points);
std::string short_id(const backup::ObjectId& id, std::size_t digits = 8);

}  // namespace muster::cli
