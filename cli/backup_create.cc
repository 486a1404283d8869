// muster backup create: one more restore point of disk images, of machines, or of areas, and what is to follow it.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backup/create.h"
#include "backup/rfc3339.h"
#include "backup/settle.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/quantity.h"
#include "cli/backup_commands.h"
#include "cli/backup_create_areas.h"
#include "cli/backup_create_machines.h"
#include "cli/backup_create_order.h"
#include "cli/backup_follow_up.h"
#include "cli/backup_images.h"
#include "cli/backup_job.h"
#include "cli/backup_json.h"
#include "cli/backup_metrics.h"
#include "cli/backup_point.h"
#include "cli/backup_points.h"
#include "cli/backup_progress.h"
#include "cli/exit_status.h"
#include "cli/json_lines.h"
#include "cli/size_text.h"
#include "cli/version.h"

namespace muster::cli {
namespace {

using backup::RestorePoint;
using base::Code;
using base::Error;
using nlohmann::json;

OpenedRepository open_for(const Program& program, const CreateOrder& order) {
  if (!order.base) return open_repository(program);
  const OpenedRepository opened = open_repository(program);
  return {.context = opened.context, .repository = opened.repository.in_domain(backup::kBaseDomain)};
}

// What there is to compare with.
struct Known {
  std::optional<RestorePoint> latest{};
  bool base = false;  // some master is there
};

Known known_of(const OpenedRepository& opened, const std::string& name) {
  Known known;
  for (auto& listed : backup::list_points(opened.context, opened.repository)) {
    known.base = known.base || listed.point.domain == backup::kBaseDomain;
    if (listed.point.name == name && listed.point.domain == opened.repository.credential().home())
      known.latest = std::move(listed.point);
  }
  return known;
}

class Creation {
 public:
  Creation(const Program& program, const CreateOrder& order, BackupOutcome& outcome)
      : program_(program), order_(order), outcome_(outcome), opened_(open_for(program, order)) {}

  int run() {
    check_follow_up(program_, opened_, order_);
    check_may_make(opened_, order_.name);
    const Known known = known_of(opened_, order_.name);
    const auto& parent = known.latest;
    const auto images = open_images(opened_.context, order_.images, order_.format);
    if (order_.skip_unchanged && parent && unchanged_since(images, *parent) && is_whole(*parent))
      pass_over(*parent);
    else if (program_.settings.flag("dry-run"))
      show_plan(images, parent);
    else
      create(images, known);
    return finish();
  }

 private:
  // What lost a chunk is made anew, which heals it.
  bool is_whole(const RestorePoint& point) const {
    const auto index = backup::Index::load(opened_.context, opened_.repository);
    if (backup::relies_on_what_stays(opened_.context, opened_.repository, *index, point)) return true;
    tell(program_, fmt::format("{}: not changed, but restore point {} lacks some of its data: it is read again",
                               order_.name, short_id(point.id)));
    return false;
  }

  void pass_over(const RestorePoint& latest) {
    tell(program_, fmt::format("{}: not changed since restore point {}", order_.name, short_id(latest.id)));
    summary_ = {{"name", order_.name}, {"point", backup::hex(latest.id)}, {"outcome", "unchanged"}};
    if (program_.json()) program_.console.out(json_line("result", summary_));
    outcome_.success.emplace();
  }

  void show_plan(const std::vector<OpenedImage>& images, const std::optional<RestorePoint>& parent) {
    for (const auto& image : images)
      tell(program_, fmt::format("{}: would read disk {}, {} {} ({})", order_.name, image.source.disk,
                                 image.source.format, image.source.source, size_text(image.reader->size_bytes())));
    tell(program_, parent ? fmt::format("{}: compared to restore point {} of {}", order_.name, short_id(parent->id),
                                        local_time(parent->time))
                          : order_.name + ": its first restore point");
    RestorePoint point;
    point.id = backup::random_object_id();
    point.name = order_.name;
    point.time = backup::now();
    point.sequence = parent ? parent->sequence + 1 : 0;
    point.tags = order_.tags;
    after_.planned.push_back({.point = point, .signer = {}, .host = {}, .stored = point.time});
    summary_ = {{"name", order_.name}, {"outcome", "plan"}, {"plan", "create"}};
    if (program_.json()) program_.console.out(json_line("result", summary_));
  }

  void create(const std::vector<OpenedImage>& images, const Known& known) {
    backup::CreateRequest request{.name = order_.name,
                                  .tool = fmt::format("muster {}", kVersion),
                                  .consistency = "image",
                                  .tags = order_.tags,
                                  .disks = {},
                                  .parent = known.latest,
                                  .with_base = known.base,
                                  .options = order_.options};
    for (const auto& image : images) request.disks.push_back(image.source);
    backup::Progress progress;
    const auto point = [&] {
      const BackupProgress shown(program_, order_.name, progress);
      return backup::create_restore_point(opened_.context, opened_.repository, request, progress).point;
    }();
    tell(program_, fmt::format("{}: restore point {}, {} read, {} new, {} stored, {}", order_.name, short_id(point.id),
                               size_text(point.bytes_read), size_text(point.bytes_new), size_text(point.bytes_stored),
                               base::format_duration(point.duration)));
    summary_ = point_json(point);
    summary_["outcome"] = "ok";
    if (program_.json()) program_.console.out(json_line("result", summary_));
    outcome_.success = success_of(point);
  }

  int finish() {
    const int status = follow_up(program_, opened_, order_, after_, summary_);
    return close_backup(program_, summary_, status);
  }

  const Program& program_;
  const CreateOrder& order_;
  BackupOutcome& outcome_;
  const OpenedRepository opened_;
  json summary_;
  FollowUp after_{.names = {order_.name}};
};

int create_with_metrics(const Program& program, const CreateOrder& order, const JobRun& job, const std::string& path) {
  BackupOutcome outcome{.name = order.name};
  base::check_replaceable(path);
  const auto began = base::Clock::now();
  const auto write = [&] {
    // What was stored and does not check well is no success.
    if (outcome.status != kAllWorked) outcome.success.reset();
    write_backup_metrics(path, {.machines = {outcome}, .job = job_outcome(job, outcome.status, began)});
  };
  try {
    outcome.status = Creation(program, order, outcome).run();
  } catch (const Error& e) {
    outcome.status = program.interrupts.interrupted() ? static_cast<int>(kInterrupted) : exit_status(e);
    try {
      write();
    } catch (const Error& unwritten) {
      program.ctx.warn(unwritten.what());  // of the two errors the other tells more
    }
    throw;
  }
  write();
  return outcome.status;
}

int create_of_images(const Program& program, const CreateOrder& order, const JobRun& job) {
  const auto metrics = program.settings.text("metrics");
  if (metrics && !program.settings.flag("dry-run")) return create_with_metrics(program, order, job, *metrics);
  BackupOutcome outcome;
  return Creation(program, order, outcome).run();
}

}  // namespace

int backup_create(const BackupCommand& command) {
  const CreateOrder order = create_order(command.program.settings, command.words);
  const auto job = JobRun::begin(command.program);
  if (!job) return close_backup(command.program, {{"outcome", "skipped"}}, kAllWorked);
  if (!order.areas.empty()) return create_of_areas(command.program, order, *job);
  return order.machines.empty() ? create_of_images(command.program, order, *job)
                                : create_of_machines(command.program, order, *job);
}

}  // namespace muster::cli
