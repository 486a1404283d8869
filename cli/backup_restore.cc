// muster backup restore: disks of a restore point into files or a block device, or all of a machine; files of an area.
#include <cerrno>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "base/error.h"
#include "cli/backup_area.h"
#include "cli/backup_commands.h"
#include "cli/backup_create_order.h"
#include "cli/backup_point.h"
#include "cli/backup_restoration.h"
#include "cli/backup_restore_machine.h"
#include "cli/exit_status.h"
#include "cli/image_format.h"

namespace muster::cli {
namespace {

using backup::DiskPoint;
using backup::ListedPoint;
using base::Code;
using base::Error;
namespace fs = std::filesystem;

std::vector<const DiskPoint*> disks_of(const ListedPoint& listed, const std::optional<std::string>& disk) {
  if (disk) return {&find_disk(listed, disk)};
  std::vector<const DiskPoint*> disks;
  for (const auto& each : listed.point.disks) disks.push_back(&each);
  return disks;
}

void make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) base::throw_errno("make directory " + path);
}

// Of each disk: TO itself, or a file in it.
std::vector<RestoreStep> steps_of(const Program& program, const ListedPoint& listed, const PointWord& word) {
  const std::string to = program.settings.text("to").value();
  std::error_code unseen;
  const bool directory = to.ends_with('/') || fs::is_directory(to, unseen);
  const auto disks = disks_of(listed, word.disk);
  if (!directory && disks.size() > 1)
    throw Error(Code::usage,
                fmt::format("{} disks do not fit into one file: write POINT:DISK, or --to a directory", disks.size()));
  const auto format = image_format(program.settings, "format");
  std::vector<RestoreStep> steps;
  for (const auto* disk : disks) {
    const std::string name =
        fmt::format("{}-{}.{}", listed.point.name, disk->disk, disk::name_of(format.value_or(disk::ImageFormat::raw)));
    steps.push_back({disk, local_target({.path = directory ? (fs::path(to) / name).string() : to,
                                         .size_bytes = disk->map.size_bytes,
                                         .format = format,
                                         .delta = program.settings.flag("delta")})});
  }
  if (directory && !program.settings.flag("dry-run")) make_directory(to);
  return steps;
}

}  // namespace

int backup_restore(const BackupCommand& command) {
  const Program& program = command.program;
  const PointWord word = parse_point_word(command.only_word());
  const auto opened = open_repository(program);
  const auto points = backup::list_points(opened.context, opened.repository);
  const ListedPoint& listed = find_point(points, word.point);
  if (listed.point.area) {
    if (word.disk) find_disk(listed, word.disk);
    return restore_area({program, opened, listed}, word.path);
  }
  if (program.settings.flag("tar")) program.settings.reject("tar", "only for files of an area");
  if (word.path) throw Error(Code::unsupported, "single files are read with muster backup cat");
  if (program.settings.given("as") || program.settings.flag("in-place")) return restore_as_machine(program, word);
  for (const char* option : {"start", "same-identity", "master", "guest"})
    if (program.settings.given_now(option)) program.settings.reject(option, "only for a machine: --as NAME");
  if (!program.settings.text("to") || program.settings.text("to")->empty())
    throw Error(Code::usage, "write --to FILE, --to DIR, or --as NAME for a machine");
  const auto manner = restore_manner(program.settings);
  check_may_read(opened);
  auto steps = steps_of(program, listed, word);
  if (program.settings.flag("dry-run")) {
    show_restore_plan(program, listed, steps);
    return close_backup(program, {{"plan", "restore"}}, kAllWorked);
  }
  confirm_overwriting(program, steps);
  Restoration restoration(program, opened, listed, manner);
  return close_backup(program, {{"disks", steps.size()}}, restoration.restore_all(steps));
}

}  // namespace muster::cli
