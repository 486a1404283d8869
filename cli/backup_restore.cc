// muster backup restore: disks of a restore point into files or a block device.
#include <cerrno>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "backup/index.h"
#include "backup/restore.h"
#include "base/error.h"
#include "base/quantity.h"
#include "cli/backup_commands.h"
#include "cli/backup_create_order.h"
#include "cli/backup_findings.h"
#include "cli/backup_json.h"
#include "cli/backup_lease.h"
#include "cli/backup_point.h"
#include "cli/backup_points.h"
#include "cli/backup_progress.h"
#include "cli/backup_target.h"
#include "cli/exit_status.h"
#include "cli/json_lines.h"
#include "cli/size_text.h"

namespace muster::cli {
namespace {

using backup::DiskPoint;
using backup::ListedPoint;
using backup::RestoreCounts;
using base::Code;
using base::Error;
namespace fs = std::filesystem;

struct Step {
  const DiskPoint* disk;
  RestoreTarget target;
};

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
std::vector<Step> steps_of(const Program& program, const ListedPoint& listed, const PointWord& word) {
  const std::string to = program.settings.text("to").value();
  std::error_code unseen;
  const bool directory = to.ends_with('/') || fs::is_directory(to, unseen);
  const auto disks = disks_of(listed, word.disk);
  if (!directory && disks.size() > 1)
    throw Error(Code::usage,
                fmt::format("{} disks do not fit into one file: write POINT:DISK, or --to a directory", disks.size()));
  const auto format = image_format(program.settings, "format");
  std::vector<Step> steps;
  for (const auto* disk : disks) {
    const std::string name =
        fmt::format("{}-{}.{}", listed.point.name, disk->disk, disk::name_of(format.value_or(disk::ImageFormat::raw)));
    steps.push_back({disk, RestoreTarget({.path = directory ? (fs::path(to) / name).string() : to,
                                          .size_bytes = disk->map.size_bytes,
                                          .format = format,
                                          .delta = program.settings.flag("delta")})});
  }
  if (directory && !program.settings.flag("dry-run")) make_directory(to);
  return steps;
}

class Restoration {
 public:
  // What the options say of how it is done.
  struct Manner {
    unsigned workers = 0;
    std::uint64_t bytes_per_second = 0;
  };
  static Manner manner(const Settings& settings) { return {worker_count(settings), limit_rate(settings)}; }

  Restoration(const Program& program, const OpenedRepository& opened, const ListedPoint& listed, const Manner& manner)
      : program_(program),
        manner_(manner),
        opened_(opened),
        listed_(listed),
        lease_(hold_points(opened, {&listed})),
        index_(backup::Index::load(opened.context, opened.repository)) {}

  // The exit status.
  int restore(Step& step) {
    RestoreTarget& target = step.target;
    target.open(opened_.context);
    if (target.excess_bytes() != 0)
      opened_.context.note(fmt::format("{} is larger than the disk: its last {} stay as they are", target.path(),
                                       size_text(target.excess_bytes())));
    const backup::RestoreRequest request{.map = step.disk->map,
                                         .domain = listed_.point.domain,
                                         .before = target.before(),
                                         .workers = manner_.workers,
                                         .bytes_per_second = manner_.bytes_per_second};
    const auto began = base::Clock::now();
    const RestoreCounts counts = write(request, target);
    if (program_.settings.flag("verify") && !is_right(request, target)) return kDamage;
    target.finish();
    report(step, counts, std::chrono::duration_cast<std::chrono::milliseconds>(base::Clock::now() - began));
    return kAllWorked;
  }

 private:
  RestoreCounts write(const backup::RestoreRequest& request, RestoreTarget& target) {
    backup::Progress progress;
    const BackupProgress shown(program_, target.path(), progress);
    return backup::restore_disk(opened_.context, opened_.repository, *index_, request, target.disk(), progress);
  }

  bool is_right(const backup::RestoreRequest& request, RestoreTarget& target) {
    backup::Progress progress;
    const BackupProgress shown(program_, "verify " + target.path(), progress);
    const auto wrong =
        backup::differing_chunks(opened_.context, opened_.repository, *index_, request, target.disk(), progress);
    if (wrong.empty()) return true;
    opened_.context.warn(fmt::format("{} is not what was written to it, in {} places, the first at byte {}",
                                     target.path(), wrong.size(), wrong.front().offset));
    return false;
  }

  void report(const Step& step, const RestoreCounts& counts, std::chrono::milliseconds took) {
    tell(program_,
         fmt::format("{} disk {}: {} in {}, {} written, {} right already, {}", listed_.point.name, step.disk->disk,
                     size_text(step.disk->map.size_bytes), step.target.path(), size_text(counts.written_bytes),
                     size_text(counts.kept_bytes), base::format_duration(took)));
    if (program_.json())
      program_.console.out(json_line("result", {{"point", backup::hex(listed_.point.id)},
                                                {"name", listed_.point.name},
                                                {"disk", step.disk->disk},
                                                {"to", step.target.path()},
                                                {"size_bytes", step.disk->map.size_bytes},
                                                {"written_bytes", counts.written_bytes},
                                                {"zeroed_bytes", counts.zeroed_bytes},
                                                {"kept_bytes", counts.kept_bytes},
                                                {"verified", program_.settings.flag("verify")},
                                                {"duration", seconds_of(took)}}));
  }

  const Program& program_;
  const Manner manner_;
  const OpenedRepository& opened_;
  const ListedPoint& listed_;
  std::unique_ptr<backup::Lease> lease_;
  std::unique_ptr<backup::Index> index_;
};

int show_plan(const Program& program, const ListedPoint& listed, const std::vector<Step>& steps) {
  for (const auto& step : steps) {
    if (program.json())
      program.console.out(json_line("result", {{"plan", "restore"},
                                               {"point", backup::hex(listed.point.id)},
                                               {"name", listed.point.name},
                                               {"disk", step.disk->disk},
                                               {"to", step.target.path()},
                                               {"size_bytes", step.disk->map.size_bytes}}));
    tell(program, fmt::format("{} disk {}: would write {} into {}, {}", listed.point.name, step.disk->disk,
                              size_text(step.disk->map.size_bytes), step.target.path(),
                              step.target.exists() ? "which is there" : "a new file"));
  }
  return close_backup(program, {{"plan", "restore"}}, kAllWorked);
}

// All are asked about before the first is written.
void confirm_overwriting(const Program& program, const std::vector<Step>& steps) {
  for (const auto& step : steps)
    if (step.target.exists() && !program.settings.flag("delta"))
      confirm_backup(program, step.target.path() + " is there: overwrite it (--delta writes only what differs)");
}

// A disk that cannot be written does not keep the others from being there: then a part failed.
int restore_all(const Program& program, Restoration& restoration, std::vector<Step>& steps) {
  int status = kAllWorked;
  bool any = false;
  for (auto& step : steps) {
    try {
      if (const int own = restoration.restore(step); own != kAllWorked) status = own;
      any = true;
    } catch (const Error& e) {
      if (!any || e.code() == Code::cancelled) throw;
      program.ctx.warn(e.what());
      status = kPartFailed;
    }
  }
  return status;
}

}  // namespace

int backup_restore(const BackupCommand& command) {
  const Program& program = command.program;
  const PointWord word = parse_point_word(command.only_word());
  if (!program.settings.text("to") || program.settings.text("to")->empty())
    throw Error(Code::usage, "write --to FILE or --to DIR");
  const auto manner = Restoration::manner(program.settings);
  if (word.path) throw Error(Code::unsupported, "single files are read with muster backup cat");
  const auto opened = open_repository(program);
  if (!opened.repository.credential().can_read_data())
    throw Error(Code::key, "this key writes backups or lets them go, and reads none: take the owner's");
  const auto points = backup::list_points(opened.context, opened.repository);
  const ListedPoint& listed = find_point(points, word.point);
  auto steps = steps_of(program, listed, word);
  if (program.settings.flag("dry-run")) return show_plan(program, listed, steps);
  confirm_overwriting(program, steps);
  Restoration restoration(program, opened, listed, manner);
  return close_backup(program, {{"disks", steps.size()}}, restore_all(program, restoration, steps));
}

}  // namespace muster::cli
