#include "cli/backup_create_machines.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backup/create.h"
#include "backup/labels.h"
#include "backup/tripwire.h"
#include "base/error.h"
#include "cli/backup_create_many.h"
#include "cli/backup_json.h"
#include "cli/backup_machine.h"
#include "cli/backup_point.h"
#include "cli/machine_source.h"
#include "cli/vm_run.h"

namespace muster::cli {
namespace {

using backup::RestorePoint;
using base::Code;
using base::Error;
using nlohmann::json;

// A worker that ends jobs and drops checkpoints before it is gone.
constexpr std::chrono::seconds kEndPatience{40};

// What restore points are called: URI#DOMAIN is no name for one.
std::string point_name(const VmTarget& target) {
  return target.name.find('#') == std::string::npos ? target.name : target.domain;
}

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

std::vector<CreationUnit> units_of(const VmSelection& selection) {
  std::vector<CreationUnit> units;
  for (const auto& target : selection.targets)
    units.push_back({.label = target.name,
                     .name = point_name(target),
                     .hook = {.name = target.name,
                              .uri = target.uri,
                              .domain = target.domain,
                              .host = target.name,
                              .status = {},
                              .point = {}}});
  return units;
}

class MachinesCreation {
 public:
  MachinesCreation(const Program& program, const CreateOrder& order, const JobRun& job)
      : program_(program),
        workers_(program.ctx, connect_patience(program.settings), kEndPatience),
        selection_(select_all(program, workers_, order.machines)),
        opened_(open_repository(program)),
        many_(program, order, job, opened_, units_of(selection_)),
        sources_(machine_sources(opened_.context, workers_, opened_.repository, order.machine_options)),
        places_(order.per_hypervisor) {}

  int run() {
    return many_.run(kMachines, {.plan = [&](std::size_t number) { return plan(selection_.targets[number]); },
                                 .create = [&](UnitRun& run, std::size_t number) { return create(run, number); },
                                 .occupy = [&](std::size_t number) -> std::shared_ptr<void> {
                                   return std::make_shared<Places::Place>(places_, selection_.targets[number].uri,
                                                                          opened_.context);
                                 }});
  }

 private:
  // A machine whose disks somebody seems to be encrypting: the point before is kept, whatever a policy says.
  void look_for_trouble(const RestorePoint& point) {
    const auto& history = many_.history_of(point.name);
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

  std::string plan(const VmTarget& target) {
    const json facts =
        workers_.call(target.uri, "backup_look", {{"domain", target.domain}}, connect_patience(program_.settings));
    std::vector<std::string> disks;
    for (const auto& disk : facts.at("disks")) disks.push_back(disk.at("target"));
    return fmt::format("{} ({})", fmt::join(disks, ", "), facts.at("state").get<std::string>());
  }

  CreationOfMany::Made create(UnitRun& run, std::size_t number) {
    const VmTarget& target = selection_.targets[number];
    const std::string name = point_name(target);
    backup::CreateRequest request = many_.request_for(name);
    MachineBackup machine(sources_, target, many_.history_of(name));
    machine.describe(request);
    tell_whole(target, request);
    RestorePoint point = many_.make(run, number, request);
    machine.finish();
    look_for_trouble(point);
    const double held = seconds_of(machine.held());
    return {.point = std::move(point), .add_fields = [held](json& result) { result["held"] = held; }};
  }

  // Why a disk is read whole that was not to be: once, for it costs time and is no failure.
  void tell_whole(const VmTarget& target, const backup::CreateRequest& request) const {
    const auto& history = many_.history_of(request.name);
    if (history.empty() || !history.back().machine || history.back().machine->checkpoint.empty()) return;
    for (const auto& disk : request.disks)
      if (!disk.whole_because.empty())
        program_.ctx.note(fmt::format("{}: disk {} is read whole: {}", target.name, disk.disk, disk.whole_because));
  }

  const Program& program_;
  HypervisorWorkers workers_;
  const VmSelection selection_;
  const OpenedRepository opened_;
  CreationOfMany many_;
  const MachineSources sources_;
  Places places_;
};

}  // namespace

int create_of_machines(const Program& program, const CreateOrder& order, const JobRun& job) {
  return with_metrics_of_failures(program, job, [&] { return MachinesCreation(program, order, job).run(); });
}

}  // namespace muster::cli
