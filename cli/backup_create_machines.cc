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
#include "backup/tripwire.h"
#include "base/error.h"
#include "cli/backup_create_many.h"
#include "cli/backup_json.h"
#include "cli/backup_machine.h"
#include "cli/backup_point.h"
#include "cli/json_lines.h"
#include "cli/machine_point.h"
#include "cli/machine_source.h"
#include "cli/remote_backup.h"
#include "cli/remote_credential.h"
#include "cli/remote_program.h"
#include "cli/ssh_place.h"
#include "cli/tunnelled_disks.h"
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

// `name`: of the restore point, in place of the one machine's own; empty: each has its own.
std::vector<CreationUnit> units_of(const VmSelection& selection, const std::string& name) {
  if (!name.empty() && selection.targets.size() != 1)
    throw Error(Code::usage, fmt::format("--name is for one machine, and {} match", selection.targets.size()));
  std::vector<CreationUnit> units;
  for (const auto& target : selection.targets)
    units.push_back({.label = target.name,
                     .name = name.empty() ? point_name(target) : name,
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
        order_(order),
        workers_(program.ctx, connect_patience(program.settings), kEndPatience),
        selection_(select_all(program, workers_, order.machines)),
        opened_(open_repository(program)),
        many_(program, order, job, opened_, units_of(selection_, order.name)),
        sources_(machine_sources(opened_.context, workers_, opened_.repository, order.machine_options)),
        places_(order.per_hypervisor) {
    find_remotes();
  }

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
    MachinePoint made;
    many_.watch(run, number, [&](backup::Progress& progress) { made = create_where_it_is(number, progress); });
    look_for_trouble(made.point);
    const double held = seconds_of(made.held);
    return {.point = std::move(made.point), .add_fields = [held](json& result) { result["held"] = held; }};
  }

  MachinePoint create_where_it_is(std::size_t number, backup::Progress& progress) {
    const VmTarget& target = selection_.targets[number];
    const backup::CreateRequest request = many_.request_for(many_.name_of(number));
    const auto& history = many_.history_of(request.name);
    MachineOrder order{.target = target,
                       .name = request.name,
                       .tags = request.tags,
                       .with_base = request.with_base,
                       .audit_parts = request.audit_parts,
                       .options = request.options};
    const auto remote = remotes_.find(target.uri);
    if (remote == remotes_.end()) return create_machine_point(sources_, order, history, request.rate, progress);
    if (const auto* failed = std::get_if<Error>(&remote->second)) throw Error(*failed);
    if (const auto* tunnelled = std::get_if<MachineSources>(&remote->second))
      return create_machine_point(*tunnelled, order, history, request.rate, progress);
    const auto& host = std::get<RemoteHost>(remote->second);
    order.target.uri = host.place.local_uri;
    RemoteOrder there{.machine = order,
                      .options = order_.machine_options,
                      .history = {},
                      .connect_patience = connect_patience(program_.settings)};
    for (const auto& point : history) there.history.push_back(point.id);
    return create_remote_point(opened_.context, opened_.repository, host, there, progress);
  }

  // Before anything is begun: each gets its key once, and muster where it is to; with --tunnel neither.
  void find_remotes() {
    for (const auto& target : selection_.targets) {
      const auto place = ssh_place(target.uri, connect_patience(program_.settings));
      if (!place || remotes_.contains(target.uri) || program_.settings.flag("dry-run")) continue;
      if (place->trusts_any) warn_of_trust(*place);
      if (program_.settings.flag("tunnel")) {
        MachineSources there = sources_;
        there.disks = tunnelled_disks(*place);
        remotes_.emplace(target.uri, std::move(there));
        continue;
      }
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

  void warn_of_trust(const SshPlace& place) const {
    program_.ctx.warn(
        place.host + ": its host key is not checked, as the URI says (no_verify): whoever answers there " +
        (program_.settings.flag("tunnel") ? "says what the disks hold" : "gets a key that makes restore points"));
  }

  std::string worker_command(const SshPlace& place) const {
    if (program_.settings.flag("copy-muster")) return copied_worker(opened_.context, place);
    return installed_worker(program_.settings.text("remote-muster").value_or("muster"));
  }

  const Program& program_;
  const CreateOrder& order_;
  HypervisorWorkers workers_;
  const VmSelection selection_;
  const OpenedRepository opened_;
  CreationOfMany many_;
  const MachineSources sources_;
  // Of other hosts, by URI; or why one cannot be used: then its machines fail, and no others.
  std::map<std::string, std::variant<RemoteHost, MachineSources, Error>> remotes_;
  Places places_;
};

}  // namespace

int create_of_machines(const Program& program, const CreateOrder& order, const JobRun& job) {
  return with_metrics_of_failures(program, job, [&] { return MachinesCreation(program, order, job).run(); });
}

}  // namespace muster::cli
