#include "cli/backup_create_machines.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <variant>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backup/create.h"
#include "backup/labels.h"
#include "backup/rfc3339.h"
#include "backup/tripwire.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/quantity.h"
#include "cli/backup_commands.h"
#include "cli/backup_follow_up.h"
#include "cli/backup_hooks.h"
#include "cli/backup_json.h"
#include "cli/backup_machine.h"
#include "cli/backup_metrics.h"
#include "cli/backup_point.h"
#include "cli/backup_points.h"
#include "cli/backup_progress.h"
#include "cli/exit_status.h"
#include "cli/machine_point.h"
#include "cli/machine_source.h"
#include "cli/remote_backup.h"
#include "cli/remote_credential.h"
#include "cli/remote_program.h"
#include "cli/size_text.h"
#include "cli/ssh_place.h"
#include "cli/vm_run.h"

namespace muster::cli {
namespace {

using backup::RestorePoint;
using base::Code;
using base::Error;
using nlohmann::json;

// A worker that ends jobs and drops checkpoints before it is gone.
constexpr std::chrono::seconds kEndPatience{40};

// All that the words mean, each once.
VmSelection select_all(const Program& program, HypervisorWorkers& workers, const std::vector<std::string>& words) {
  VmSelection all;
  for (const auto& word : words)
    for (auto& target : select_machines(program, workers, word, Purpose::look).targets) {
      const bool there = std::any_of(all.targets.begin(), all.targets.end(), [&](const VmTarget& other) {
        return other.uri == target.uri && other.domain == target.domain;
      });
      if (!there) all.targets.push_back(std::move(target));
    }
  std::map<std::string, const VmTarget*> names;
  for (const auto& target : all.targets) {
    backup::check_point_name(point_name(target));
    const auto [other, fresh] = names.emplace(point_name(target), &target);
    if (!fresh)
      throw Error(Code::usage,
                  fmt::format("'{}' is both {}#{} and {}#{}: their restore points would be mixed up", other->first,
                              other->second->uri, other->second->domain, target.uri, target.domain));
    all.names.push_back(target.name);
  }
  return all;
}

// So many machines of one hypervisor at once.
class Places {
 public:
  explicit Places(unsigned each) : each_(each) {}

  class Place {
   public:
    Place(Places& owner, const std::string& uri, const base::Context& ctx) : owner_(owner), uri_(uri) {
      std::unique_lock lock(owner_.mutex_);
      if (!owner_.changed_.wait(lock, ctx.stop, [&] { return owner_.taken_[uri_] < owner_.each_; })) ctx.check_stop();
      ++owner_.taken_[uri_];
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
      const std::lock_guard lock(owner_.mutex_);
      --owner_.taken_[uri_];
      owner_.changed_.notify_all();
    }

   private:
    Places& owner_;
    const std::string& uri_;
  };

 private:
  const unsigned each_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, unsigned> taken_;
};

class MachinesCreation {
 public:
  MachinesCreation(const Program& program, const CreateOrder& order, const JobRun& job)
      : program_(program),
        order_(order),
        job_(job),
        workers_(program.ctx, connect_patience(program.settings), kEndPatience),
        selection_(select_all(program, workers_, order.machines)),
        opened_(open_repository(program)),
        sources_(machine_sources(opened_.context, workers_, opened_.repository, order.machine_options)),
        places_(order.per_hypervisor),
        rate_(order.options.bytes_per_second) {}

  int run() {
    check();
    read_points();
    find_remotes();
    UnitRun run(program_, selection_.names, kMachines, Closing::failures_only);
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
    };
    const int status = run_on_machines(program_, run, selection_,
                                       {.run = [&](std::size_t number) { return back_up(run, number); },
                                        .before_closing = finish,
                                        .judge = [&](int units) { return units == kAllWorked ? after : units; },
                                        .summary = [&] { return summary; }});
    if (const auto path = metrics_path())
      write_backup_metrics(*path, {.machines = outcomes_, .job = job_outcome(job_, status, began_)});
    return status;
  }

 private:
  std::string name_of(const VmTarget& target) const { return order_.name.empty() ? point_name(target) : order_.name; }

  void check() {
    if (!order_.name.empty() && selection_.targets.size() != 1)
      program_.settings.reject("name", fmt::format("for one machine, and {} match", selection_.targets.size()));
    check_follow_up(program_, opened_, order_);
    for (const auto& target : selection_.targets) check_may_make(opened_, name_of(target));
    if (const auto path = metrics_path()) base::check_replaceable(*path);
    outcomes_.resize(selection_.targets.size());
    for (std::size_t i = 0; i < outcomes_.size(); ++i)
      outcomes_[i] = {.name = name_of(selection_.targets[i]), .status = kNothingWorked};
  }

  std::optional<std::string> metrics_path() const {
    return program_.settings.flag("dry-run") ? std::nullopt : program_.settings.text("metrics");
  }

  void read_points() {
    for (auto& listed : backup::list_points(opened_.context, opened_.repository)) {
      with_base_ = with_base_ || listed.point.domain == backup::kBaseDomain;
      if (listed.point.domain == opened_.repository.credential().home())
        history_[listed.point.name].push_back(std::move(listed.point));
    }
  }

  // Before anything is begun: each gets its key once, and muster where it is to.
  void find_remotes() {
    for (const auto& target : selection_.targets) {
      const auto place = ssh_place(target.uri, connect_patience(program_.settings));
      if (!place || remotes_.contains(target.uri) || program_.settings.flag("dry-run")) continue;
      try {
        remotes_.emplace(target.uri, RemoteHost{.place = *place,
                                                .command = worker_command(*place),
                                                .credential = credential_for_host(opened_.context, opened_.repository,
                                                                                  place->host)});
      } catch (const Error& e) {
        if (opened_.context.stop.stop_requested()) throw;
        remotes_.emplace(target.uri, e);
      }
    }
  }

  std::string worker_command(const SshPlace& place) const {
    if (program_.settings.flag("copy-muster")) return copied_worker(opened_.context, place);
    return installed_worker(program_.settings.text("remote-muster").value_or("muster"));
  }

  // Of one machine, by time.
  const std::vector<RestorePoint>& history_of(const std::string& name) const {
    static const std::vector<RestorePoint> kNone;
    const auto found = history_.find(name);
    return found == history_.end() ? kNone : found->second;
  }

  // A machine whose disks somebody seems to be encrypting: the point before is kept, whatever a policy says.
  void look_for_trouble(const RestorePoint& point) {
    const auto& history = history_of(point.name);
    const auto why = backup::looks_encrypted(history, point);
    if (!why) return;
    const RestorePoint& before = history.back();
    backup::change_labels(opened_.context, opened_.repository, point.id, {.add = {backup::kSuspectTag}});
    backup::change_labels(opened_.context, opened_.repository, before.id, {.pin = true});
    program_.ctx.warn(fmt::format(
        "{}: it looks as if its disks were being encrypted: {}. Restore point {} of {} is pinned, and nothing of {} is "
        "forgotten until you say that all is well: muster backup tag {} {} --remove",
        point.name, *why, short_id(before.id), local_time(before.time), point.name, short_id(point.id),
        backup::kSuspectTag));
  }

  json back_up(UnitRun& run, std::size_t number) {
    const VmTarget& target = selection_.targets[number];
    const std::string name = name_of(target);
    try {
      const Places::Place place(places_, target.uri, opened_.context);
      json result = program_.settings.flag("dry-run") ? plan(target, name) : create_with_hooks(run, number, name);
      outcomes_[number].status = kAllWorked;
      return result;
    } catch (const Error& e) {
      outcomes_[number].status = exit_status(e);
      throw;
    }
  }

  json plan(const VmTarget& target, const std::string& name) {
    const auto& history = history_of(name);
    const RestorePoint* latest = history.empty() ? nullptr : &history.back();
    const json facts =
        workers_.call(target.uri, "backup_look", {{"domain", target.domain}}, connect_patience(program_.settings));
    std::vector<std::string> disks;
    for (const auto& disk : facts.at("disks")) disks.push_back(disk.at("target"));
    tell(program_,
         fmt::format(
             "{}: would back up {} ({}), {}", target.name, fmt::join(disks, ", "), facts.at("state").get<std::string>(),
             latest ? fmt::format("compared to restore point {} of {}", short_id(latest->id), local_time(latest->time))
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

  // What comes after comes in any case, once what comes before was begun. Where it fails, so has the machine, although
  // its restore point is there.
  json create_with_hooks(UnitRun& run, std::size_t number, const std::string& name) {
    const VmTarget& target = selection_.targets[number];
    HookFacts facts{.name = target.name, .uri = target.uri, .domain = target.domain, .status = {}, .point = {}};
    std::optional<json> result;
    try {
      run_hooks(program_, opened_.context, order_.before, facts);
      result = create(run, number, name);
      facts.point = result->at("point");
    } catch (const Error& e) {
      facts.status = "failed";
      try {
        run_hooks(program_, program_.ctx, order_.after, facts);
      } catch (const Error& after) {
        program_.ctx.warn(target.name + ": " + after.what());  // what went wrong first is what is told
      }
      throw;
    }
    facts.status = "ok";
    run_hooks(program_, program_.ctx, order_.after, facts);
    return *result;
  }

  json create(UnitRun& run, std::size_t number, const std::string& name) {
    const VmTarget& target = selection_.targets[number];
    backup::Progress progress;
    const MachinePoint made = [&] {
      const BackupProgress shown(program_, name, progress, [&](const std::optional<std::string>& text) {
        run.at_work(number, text.value_or(""));
      });
      return create_where_it_is(target, name, progress);
    }();
    const RestorePoint& point = made.point;
    look_for_trouble(point);
    tell(program_,
         fmt::format("{}: restore point {}, {}, {} read, {} new, {} stored, {}", target.name, short_id(point.id),
                     point.consistency, size_text(point.bytes_read), size_text(point.bytes_new),
                     size_text(point.bytes_stored), base::format_duration(point.duration)));
    const std::lock_guard lock(mutex_);
    outcomes_[number].success = success_of(point);
    after_.names.insert(name);
    json result = point_json(point);
    result["held"] = seconds_of(made.held);
    for (const char* field : {"bytes_audited", "bytes_dirty", "bytes_read", "bytes_new", "bytes_stored"})
      totals_[field] = totals_.value(field, std::uint64_t{0}) + result.at(field).get<std::uint64_t>();
    return result;
  }

  MachinePoint create_where_it_is(const VmTarget& target, const std::string& name, backup::Progress& progress) {
    const auto& history = history_of(name);
    MachineOrder order{.target = target,
                       .name = name,
                       .tags = order_.tags,
                       .with_base = with_base_,
                       .audit_parts = order_.audit_parts,
                       .options = order_.options};
    const auto remote = remotes_.find(target.uri);
    if (remote == remotes_.end()) return create_machine_point(sources_, order, history, &rate_, progress);
    if (const auto* failed = std::get_if<Error>(&remote->second)) throw Error(*failed);
    const auto& host = std::get<RemoteHost>(remote->second);
    order.target.uri = host.place.local_uri;
    RemoteOrder there{.machine = order,
                      .options = order_.machine_options,
                      .history = {},
                      .connect_patience = connect_patience(program_.settings)};
    for (const auto& point : history) there.history.push_back(point.id);
    return create_remote_point(opened_.context, opened_.repository, host, there, progress);
  }

  // Of those that worked.
  int follow(json& summary) {
    summary.update(totals_);
    if (after_.names.empty() || opened_.context.stop.stop_requested()) return kAllWorked;
    return follow_up(program_, opened_, order_, after_, summary);
  }

  const Program& program_;
  const CreateOrder& order_;
  const JobRun& job_;
  const base::TimePoint began_ = base::Clock::now();
  HypervisorWorkers workers_;
  const VmSelection selection_;
  const OpenedRepository opened_;
  const MachineSources sources_;
  // Of other hosts, by URI; or why one cannot be used: then its machines fail, and no others.
  std::map<std::string, std::variant<RemoteHost, Error>> remotes_;
  Places places_;
  backup::RateLimit rate_;                                    // of all
  std::map<std::string, std::vector<RestorePoint>> history_;  // of each machine, by time
  bool with_base_ = false;
  std::vector<BackupOutcome> outcomes_;  // each one unit's
  std::mutex mutex_;
  FollowUp after_;
  json totals_ = json::object();
};

}  // namespace

int create_of_machines(const Program& program, const CreateOrder& order, const JobRun& job) {
  const auto began = base::Clock::now();
  try {
    return MachinesCreation(program, order, job).run();
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
