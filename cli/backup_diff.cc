// muster backup diff: what of two restore points' disks differs, by their maps, or of their files, by their listings.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backup/difference.h"
#include "backup/index.h"
#include "base/error.h"
#include "cli/backup_area.h"
#include "cli/backup_commands.h"
#include "cli/backup_lease.h"
#include "cli/backup_point.h"
#include "cli/backup_points.h"
#include "cli/json_lines.h"
#include "cli/size_text.h"

namespace muster::cli {
namespace {

using backup::DiskPoint;
using base::Code;
using base::Error;
using nlohmann::json;

// Two disks of one name, or the two that were named.
struct Pair {
  const DiskPoint& from;
  const DiskPoint& to;
};

const DiskPoint* disk_named(const backup::ListedPoint& listed, const std::string& name) {
  for (const auto& disk : listed.point.disks)
    if (disk.disk == name) return &disk;
  return nullptr;
}

std::vector<Pair> pairs_of(const backup::ListedPoint& from, const backup::ListedPoint& to, const PointWord& first,
                           const PointWord& second) {
  if (first.disk || second.disk)
    return {{find_disk(from, first.disk ? first.disk : second.disk),
             find_disk(to, second.disk ? second.disk : first.disk)}};
  std::vector<Pair> pairs;
  for (const auto& disk : from.point.disks)
    if (const auto* same = disk_named(to, disk.disk)) pairs.push_back({disk, *same});
  if (pairs.empty()) throw Error(Code::usage, "the two have no disk of one name: write POINT:DISK for both");
  return pairs;
}

void show(const Program& program, const Pair& pair, const std::vector<disk::ByteRange>& ranges) {
  std::uint64_t bytes = 0;
  for (const auto& range : ranges) bytes += range.length;
  if (program.json()) {
    json list = json::array();
    for (const auto& range : ranges) list.push_back({{"offset", range.offset}, {"length", range.length}});
    program.console.out(json_line("result", {{"disk", pair.to.disk}, {"bytes", bytes}, {"ranges", list}}));
    return;
  }
  for (const auto& range : ranges)
    program.console.out(fmt::format("{} {:>16} {:>16}\n", pair.to.disk, range.offset, range.length));
  program.console.out(fmt::format("disk {}: {} in {} ranges\n", pair.to.disk, size_text(bytes), ranges.size()));
}

// Disks that only one of the two has differ as a whole.
void show_alone(const Program& program, const backup::ListedPoint& has, const backup::ListedPoint& lacks,
                const char* which) {
  for (const auto& disk : has.point.disks) {
    if (disk_named(lacks, disk.disk) != nullptr) continue;
    const std::uint64_t bytes = disk.map.size_bytes;
    if (program.json())
      program.console.out(json_line("result", {{"disk", disk.disk},
                                               {"bytes", bytes},
                                               {"ranges", json::array({{{"offset", 0}, {"length", bytes}}})},
                                               {"only_in", backup::hex(has.point.id)}}));
    else
      program.console.out(fmt::format("disk {}: {}, only in {}\n", disk.disk, size_text(bytes), which));
  }
}

}  // namespace

int backup_diff(const BackupCommand& command) {
  const Program& program = command.program;
  if (command.words.size() != 2) command.explain();
  const PointWord first = parse_point_word(command.words[0]), second = parse_point_word(command.words[1]);
  const auto opened = open_repository(program);
  const auto& [ctx, repository] = opened;
  const auto points = backup::list_points(ctx, repository);
  const auto& from = find_point(points, first.point);
  const auto& to = find_point(points, second.point);
  if (from.point.area && to.point.area && !first.disk && !second.disk && !first.path && !second.path)
    return compare_areas({program, opened, from}, {program, opened, to});
  const auto pairs = pairs_of(from, to, first, second);
  if (!first.disk && !second.disk) {
    show_alone(program, from, to, "the first");
    show_alone(program, to, from, "the second");
  }
  const auto lease = hold_points(opened, {&from, &to});
  const auto index = backup::Index::load(ctx, repository);
  for (const auto& pair : pairs)
    show(program, pair, backup::difference(ctx, repository, *index, pair.from.map, pair.to.map));
  return close_backup(program, json::object(), 0);
}

}  // namespace muster::cli
