#include "cli/backup_restoration.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/quantity.h"
#include "cli/backup_commands.h"
#include "cli/backup_create_order.h"
#include "cli/backup_findings.h"
#include "cli/backup_json.h"
#include "cli/backup_lease.h"
#include "cli/backup_progress.h"
#include "cli/exit_status.h"
#include "cli/json_lines.h"
#include "cli/size_text.h"

namespace muster::cli {

using backup::ListedPoint;
using backup::RestoreCounts;
using base::Code;
using base::Error;

RestoreManner restore_manner(const Settings& settings) { return {worker_count(settings), limit_rate(settings)}; }

void check_may_read(const OpenedRepository& opened) {
  if (!opened.repository.credential().can_read_data())
    throw Error(Code::key, "this key writes backups or lets them go, and reads none: take the owner's");
}

Restoration::Restoration(const Program& program, const OpenedRepository& opened, const ListedPoint& listed,
                         const RestoreManner& manner)
    : program_(program),
      manner_(manner),
      opened_(opened),
      listed_(listed),
      lease_(hold_points(opened, {&listed})),
      index_(backup::Index::load(opened.context, opened.repository)) {}

int Restoration::restore(RestoreStep& step) {
  RestoreTarget& target = *step.target;
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
  target.finish(opened_.context);
  report(step, counts, std::chrono::duration_cast<std::chrono::milliseconds>(base::Clock::now() - began));
  return kAllWorked;
}

RestoreCounts Restoration::write(const backup::RestoreRequest& request, RestoreTarget& target) {
  backup::Progress progress;
  const BackupProgress shown(program_, target.path(), progress);
  return backup::restore_disk(opened_.context, opened_.repository, *index_, request, target.disk(), progress);
}

bool Restoration::is_right(const backup::RestoreRequest& request, RestoreTarget& target) {
  backup::Progress progress;
  const BackupProgress shown(program_, "verify " + target.path(), progress);
  const auto wrong =
      backup::differing_chunks(opened_.context, opened_.repository, *index_, request, target.disk(), progress);
  if (wrong.empty()) return true;
  opened_.context.warn(fmt::format("{} is not what was written to it, in {} places, the first at byte {}",
                                   target.path(), wrong.size(), wrong.front().offset));
  return false;
}

void Restoration::report(const RestoreStep& step, const RestoreCounts& counts, std::chrono::milliseconds took) {
  tell(program_,
       fmt::format("{} disk {}: {} in {}, {} written, {} right already, {}", listed_.point.name, step.disk->disk,
                   size_text(step.disk->map.size_bytes), step.target->path(), size_text(counts.written_bytes),
                   size_text(counts.kept_bytes), base::format_duration(took)));
  if (program_.json())
    program_.console.out(json_line("result", {{"point", backup::hex(listed_.point.id)},
                                              {"name", listed_.point.name},
                                              {"disk", step.disk->disk},
                                              {"to", step.target->path()},
                                              {"size_bytes", step.disk->map.size_bytes},
                                              {"written_bytes", counts.written_bytes},
                                              {"zeroed_bytes", counts.zeroed_bytes},
                                              {"kept_bytes", counts.kept_bytes},
                                              {"verified", program_.settings.flag("verify")},
                                              {"duration", seconds_of(took)}}));
}

int Restoration::restore_all(std::vector<RestoreStep>& steps) {
  int status = kAllWorked;
  bool any = false;
  for (auto& step : steps) {
    try {
      if (const int own = restore(step); own != kAllWorked) status = own;
      any = true;
    } catch (const Error& e) {
      if (!any || e.code() == Code::cancelled) throw;
      program_.ctx.warn(e.what());
      status = kPartFailed;
    }
  }
  return status;
}

void show_restore_plan(const Program& program, const ListedPoint& listed, const std::vector<RestoreStep>& steps) {
  for (const auto& step : steps) {
    if (program.json())
      program.console.out(json_line("result", {{"plan", "restore"},
                                               {"point", backup::hex(listed.point.id)},
                                               {"name", listed.point.name},
                                               {"disk", step.disk->disk},
                                               {"to", step.target->path()},
                                               {"size_bytes", step.disk->map.size_bytes}}));
    tell(program, fmt::format("{} disk {}: would write {} into {}, {}", listed.point.name, step.disk->disk,
                              size_text(step.disk->map.size_bytes), step.target->path(),
                              step.target->exists() ? "which is there" : "a new file"));
  }
}

void confirm_overwriting(const Program& program, const std::vector<RestoreStep>& steps) {
  for (const auto& step : steps)
    if (step.target->exists() && !program.settings.flag("delta"))
      confirm_backup(program, step.target->path() + " is there: overwrite it (--delta writes only what differs)");
}

}  // namespace muster::cli
