#include "cli/backup_create_many.h"

#include <algorithm>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backup/create.h"
#include "backup/rfc3339.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/quantity.h"
#include "cli/backup_commands.h"
#include "cli/backup_json.h"
#include "cli/backup_point.h"
#include "cli/backup_points.h"
#include "cli/backup_progress.h"
#include "cli/exit_status.h"
#include "cli/size_text.h"
#include "cli/version.h"
#include "cli/vm_run.h"

namespace muster::cli {

using backup::RestorePoint;
using base::Error;
using nlohmann::json;

json CreationUnit::identity() const {
  json fields{{"name", hook.name}};
  if (!hook.uri.empty()) fields["uri"] = hook.uri;
  return fields;
}

CreationOfMany::CreationOfMany(const Program& program, const CreateOrder& order, const JobRun& job,
                               const OpenedRepository& opened, std::vector<CreationUnit> units)
    : program_(program),
      order_(order),
      job_(job),
      opened_(opened),
      units_(std::move(units)),
      rate_(order.options.bytes_per_second) {
  check();
  read_points();
}

int CreationOfMany::run(const Noun& noun, const Work& work) {
  HostNames labels;
  for (const auto& unit : units_) labels.push_back(unit.label);
  UnitRun run(program_, labels, noun, Closing::failures_only);
  run.usual_fanout(static_cast<int>(std::max(1U, std::thread::hardware_concurrency())));
  json summary = json::object();
  int after = kAllWorked;
  const auto finish = [&] {
    try {
      after = follow(summary);
    } catch (const Error& e) {
      // The restore points are there.
      after = exit_status(e);
      program_.ctx.warn(e.what());
    }
    if (after == kAllWorked && incomplete_) after = kPartFailed;
  };
  const int status = run_on_units(program_, run, [&](std::size_t unit) { return units_[unit].identity(); },
                                  {.run = [&](std::size_t unit) { return one(run, work, unit); },
                                   .before_closing = finish,
                                   .judge = [&](int units) { return units == kAllWorked ? after : units; },
                                   .summary = [&] { return summary; }});
  if (const auto path = metrics_path())
    write_backup_metrics(*path, {.machines = outcomes_, .job = job_outcome(job_, status, began_)});
  return status;
}

void CreationOfMany::check() {
  check_follow_up(program_, opened_, order_);
  for (const auto& unit : units_) check_may_make(opened_, unit.name);
  if (const auto path = metrics_path()) base::check_replaceable(*path);
  for (const auto& unit : units_) outcomes_.push_back({.name = unit.name, .status = kNothingWorked});
}

std::optional<std::string> CreationOfMany::metrics_path() const {
  return program_.settings.flag("dry-run") ? std::nullopt : program_.settings.text("metrics");
}

void CreationOfMany::read_points() {
  for (auto& listed : backup::list_points(opened_.context, opened_.repository)) {
    with_base_ = with_base_ || listed.point.domain == backup::kBaseDomain;
    if (listed.point.domain == opened_.repository.credential().home())
      history_[listed.point.name].push_back(std::move(listed.point));
  }
}

const std::vector<RestorePoint>& CreationOfMany::history_of(const std::string& name) const {
  static const std::vector<RestorePoint> kNone;
  const auto found = history_.find(name);
  return found == history_.end() ? kNone : found->second;
}

backup::CreateRequest CreationOfMany::request_for(const std::string& name) {
  return {.name = name,
          .tool = fmt::format("muster {}", kVersion),
          .consistency = {},
          .tags = order_.tags,
          .with_base = with_base_,
          .audit_parts = order_.audit_parts,
          .rate = &rate_,
          .options = order_.options};
}

void CreationOfMany::watch(UnitRun& run, std::size_t unit,
                           const std::function<void(backup::Progress& progress)>& work) const {
  backup::Progress progress;
  const BackupProgress shown(program_, name_of(unit), progress,
                             [&](const std::optional<std::string>& text) { run.at_work(unit, text.value_or("")); });
  work(progress);
}

json CreationOfMany::one(UnitRun& run, const Work& work, std::size_t unit) {
  try {
    const auto place = work.occupy ? work.occupy(unit) : nullptr;
    json result = program_.settings.flag("dry-run") ? plan(work, unit) : create_with_hooks(run, work, unit);
    outcomes_[unit].status = kAllWorked;
    return result;
  } catch (const Error& e) {
    outcomes_[unit].status = exit_status(e);
    throw;
  }
}

json CreationOfMany::plan(const Work& work, std::size_t unit) {
  const std::string& name = units_[unit].name;
  const auto& history = history_of(name);
  const RestorePoint* latest = history.empty() ? nullptr : &history.back();
  tell(program_, fmt::format("{}: would back up {}, {}", units_[unit].label, work.plan(unit),
                             latest ? fmt::format("compared to restore point {} of {}", short_id(latest->id),
                                                  local_time(latest->time))
                                    : "its first restore point"));
  RestorePoint point;
  point.id = backup::random_object_id();
  point.name = name;
  point.time = backup::now();
  point.sequence = latest ? latest->sequence + 1 : 0;
  point.tags = order_.tags;
  const std::lock_guard lock(mutex_);
  after_.planned.push_back({.point = point, .signer = {}, .host = {}, .stored = point.time});
  after_.names.insert(name);
  return {{"name", name}, {"outcome", "plan"}, {"plan", "create"}};
}

// What comes after comes in any case, once what comes before was begun. Where it fails, so has the unit, although its
// restore point is there.
json CreationOfMany::create_with_hooks(UnitRun& run, const Work& work, std::size_t unit) {
  HookFacts facts = units_[unit].hook;
  std::optional<json> result;
  try {
    run_hooks(program_, opened_.context, order_.before, facts);
    result = create(run, work, unit);
    facts.point = result->at("point");
  } catch (const Error& e) {
    facts.status = "failed";
    try {
      run_hooks(program_, program_.ctx, order_.after, facts);
    } catch (const Error& after) {
      program_.ctx.warn(facts.name + ": " + after.what());  // what went wrong first is what is told
    }
    throw;
  }
  facts.status = "ok";
  run_hooks(program_, program_.ctx, order_.after, facts);
  return *result;
}

json CreationOfMany::create(UnitRun& run, const Work& work, std::size_t unit) {
  const Made made = work.create(run, unit);
  const RestorePoint& point = made.point;
  tell(program_,
       fmt::format("{}: restore point {}, {}, {} read, {} new, {} stored, {}", units_[unit].label, short_id(point.id),
                   point.consistency, size_text(point.bytes_read), size_text(point.bytes_new),
                   size_text(point.bytes_stored), base::format_duration(point.duration)));
  json result = point_json(point);
  if (made.add_fields) made.add_fields(result);
  const std::lock_guard lock(mutex_);
  incomplete_ = incomplete_ || !made.complete;
  outcomes_[unit].success = success_of(point);
  after_.names.insert(point.name);
  for (const char* field : {"bytes_audited", "bytes_dirty", "bytes_read", "bytes_new", "bytes_stored"})
    totals_[field] += result.at(field).get<std::uint64_t>();
  return result;
}

// Of those that worked.
int CreationOfMany::follow(json& summary) {
  for (const auto& [field, total] : totals_) summary[field] = total;
  if (after_.names.empty() || opened_.context.stop.stop_requested()) return kAllWorked;
  return follow_up(program_, opened_, order_, after_, summary);
}

int with_metrics_of_failures(const Program& program, const JobRun& job, const std::function<int()>& creation) {
  const auto began = base::Clock::now();
  try {
    return creation();
  } catch (const Error& e) {
    const auto path = program.settings.text("metrics");
    if (path && !program.settings.flag("dry-run")) {
      try {
        const int status = program.interrupts.interrupted() ? static_cast<int>(kInterrupted) : exit_status(e);
        write_backup_metrics(*path, {.machines = {}, .job = job_outcome(job, status, began)});
      } catch (const Error& unwritten) {
        program.ctx.warn(unwritten.what());  // of the two errors the other tells more
      }
    }
    throw;
  }
}

}  // namespace muster::cli
