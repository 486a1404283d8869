#include "cli/backup_restore_machine.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/backup_commands.h"
#include "cli/backup_create_order.h"
#include "cli/backup_machine_parts.h"
#include "cli/backup_restoration.h"
#include "cli/exit_status.h"
#include "cli/generation_text.h"
#include "cli/hypervisor_workers.h"
#include "cli/image_format.h"
#include "cli/json_lines.h"
#include "cli/machine_source.h"
#include "cli/seal_order.h"
#include "cli/ssh_place.h"
#include "cli/tunnelled_target.h"
#include "cli/vm_run.h"
#include "cli/vm_selection.h"
#include "clone/generation.h"

namespace muster::cli {
namespace {

using backup::DiskPoint;
using backup::ListedPoint;
using base::Code;
using base::Error;
using nlohmann::json;
namespace fs = std::filesystem;

// A restore point that is opened, on its way to a machine.
class MachineRestore {
 public:
  MachineRestore(const Program& program, const PointWord& word)
      : program_(program),
        workers_(program.ctx, connect_patience(program.settings)),
        opened_(open_repository(program)),
        points_(backup::list_points(opened_.context, opened_.repository)),
        listed_(find_point(points_, word.point)) {
    check_may_read(opened_);
    if (word.disk) throw Error(Code::usage, "a machine is restored with all its disks: leave out :" + *word.disk);
    if (!listed_.point.machine)
      throw Error(Code::usage, "restore point " + short_id(listed_.point.id) +
                                   " is of images, and knows no machine: write --to FILE or --to DIR");
  }

  int as_new(const std::string& name) {
    const VmTarget target = machine_to_be(program_, name);
    const auto master = master_order(target);
    find_host(target);
    json place{{"name", target.domain}};
    if (program_.settings.flag("same-identity")) place["uuid"] = listed_.point.machine->uuid;
    if (!call(target, "backup_place", place).at("free").get<bool>())
      throw Error(Code::refused, "the machine '" + target.domain + "', or the one that was backed up, is on " +
                                     target.uri + " already: " +
                                     (master ? "muster master seal makes a master of one that is off"
                                             : "--in-place restores over one that is off"));
    auto steps = new_files(target);
    if (master) check_pools(target, steps);
    if (plan())
      return show_plan(steps, fmt::format("define '{}' on {}", target.domain, target.uri) +
                                  (master ? ", and seal it as a master" : ""));
    confirm_overwriting(program_, steps);
    Restoration restoration(program_, opened_, listed_, restore_manner(program_.settings));
    // Read before the disks: without them there is no machine.
    json wanted = machine_parts(opened_, restoration.index(), listed_.point);
    if (const int status = restoration.restore_all(steps); status != kAllWorked) return close(steps, status);
    wanted.update({{"name", target.domain},
                   {"same_identity", program_.settings.flag("same-identity")},
                   {"start", program_.settings.flag("start")},
                   {"disks", places_of(steps)}});
    const json made = call(target, "backup_define", wanted);
    for (const auto& left_out : made.at("left_out"))
      program_.ctx.warn(fmt::format("{}: without {}, which is the old machine's", name, left_out.get<std::string>()));
    tell(program_, fmt::format("{}: restored from {} of {}, {}", name, short_id(listed_.point.id),
                               local_time(listed_.point.time), made.at("state").get<std::string>()));
    if (master) seal(target, *master);
    return close(steps, kAllWorked);
  }

  int in_place() {
    const VmTarget target = machine_to_be(program_, listed_.point.name);
    find_host(target);
    const json facts = call(target, "backup_look", {{"domain", target.domain}});
    if (facts.at("active").get<bool>())
      throw Error(Code::refused, "'" + target.name + "' is " + facts.at("state").get<std::string>() +
                                     ": stop it first, its disks are written to");
    if (facts.at("state") == "saved")
      throw Error(Code::refused, "the memory of '" + target.name +
                                     "' is saved, and goes with its disks as they are: start it, or drop that with "
                                     "virsh managedsave-remove");
    if (facts.at("uuid") != listed_.point.machine->uuid)
      throw Error(Code::refused, "'" + target.name +
                                     "' is another machine than the one that was backed up, by its "
                                     "UUID: --to FILE --delta writes over a file");
    check_used_by_nobody_else(target);
    auto steps = files_of(target, facts);
    if (plan()) return show_plan(steps, "");
    confirm_backup(program_, fmt::format("write what differs over the disks of '{}' on {}", target.name, target.uri));
    Restoration restoration(program_, opened_, listed_, restore_manner(program_.settings));
    const int status = restoration.restore_all(steps);
    check_still_off(target);
    if (status == kAllWorked && program_.settings.flag("start")) call(target, "start", {{"domain", target.domain}});
    return close(steps, status);
  }

 private:
  // What --master asks for, looked at before hours are spent on it.
  std::optional<SealOrder> master_order(const VmTarget& target) const {
    const Settings& settings = program_.settings;
    const auto master = settings.text("master");
    if (!master) {
      if (settings.given_now("guest")) settings.reject("guest", "it is about a master: --master NAME");
      return std::nullopt;
    }
    if (settings.flag("start")) settings.reject("start", "a master never runs: leave out --master, or this");
    if (clone::parse_master_name(*master).number)
      settings.reject("master", "generations are numbered by themselves: write the name alone");
    SealOrder order{.source = target.domain, .name = *master};
    order.guest = clone::name_of(clone::guest_kind_named(settings.text("guest").value_or(order.guest)));
    return order;
  }
  // Masters are found in pools alone.
  void check_pools(const VmTarget& target, const std::vector<RestoreStep>& steps) {
    json directories = json::array();
    for (const auto& step : steps) directories.push_back(fs::path(step.target->path()).parent_path().string());
    const json looked = call(target, "backup_place", {{"directories", std::move(directories)}});
    for (const auto& directory : looked.at("unpooled"))
      throw Error(Code::unsupported,
                  directory.get<std::string>() + " is the directory of no active storage pool of " + target.uri +
                      ", where masters are found: define one for it (virsh pool-define-as), or write --to another");
  }
  // It stays a machine, too, which muster does not start.
  void seal(const VmTarget& target, const SealOrder& order) {
    try {
      const json sealed = workers_.call(target.uri, "master_seal", to_json(order), kSealPatience);
      tell(program_, fmt::format("{}: sealed as {}", target.name, generation_text(sealed)));
    } catch (const Error& e) {
      throw Error(e.code(), fmt::format("'{}' is restored, and no master yet: {}", target.name, e.what()));
    }
  }

  // Disks of another host's machines go there through SSH.
  void find_host(const VmTarget& target) {
    host_ = ssh_place(target.uri, connect_patience(program_.settings));
    if (!host_) check_is_on_this_host(target);
  }
  std::unique_ptr<RestoreTarget> new_target(RestoreTarget::Wanted wanted) const {
    if (host_) return tunnelled_target(opened_.context, *host_, std::move(wanted));
    return local_target(std::move(wanted));
  }
  // A raw image there, and a device, is locked by nobody.
  void check_still_off(const VmTarget& target) {
    if (call(target, "backup_look", {{"domain", target.domain}}).at("active").get<bool>())
      throw Error(Code::busy, "'" + target.name +
                                  "' was started while its disks were written to: stop it, and restore "
                                  "it again");
  }

  // A clone that is built on one of its images would change under its own feet.
  void check_used_by_nobody_else(const VmTarget& target) {
    const json found = call(target, "backup_users", {{"domain", target.domain}});
    for (const auto& use : found.at("users"))
      throw Error(Code::refused, fmt::format("{} is used by {}, too, and would be written over: --as NAME restores "
                                             "beside it",
                                             use.at("path").get<std::string>(), use.at("user").get<std::string>()));
  }

  json call(const VmTarget& target, const std::string& operation, const json& arguments) {
    return workers_.call(target.uri, operation, arguments, kUsualPatience);
  }
  bool plan() const { return program_.settings.flag("dry-run"); }

  // Beside where the disks were, or in --to DIR.
  std::vector<RestoreStep> new_files(const VmTarget& target) const {
    const auto wanted = image_format(program_.settings, "format");
    const auto to = program_.settings.text("to");
    std::vector<RestoreStep> steps;
    for (const auto& disk : listed_.point.disks) {
      const auto format = wanted.value_or(disk::image_format_named(disk.format).value_or(disk::ImageFormat::qcow2));
      const fs::path directory = to ? fs::path(*to) : fs::path(disk.source).parent_path();
      if (!directory.is_absolute() && !to)
        throw Error(Code::usage, "disk " + disk.disk + " was " + disk.source + ": say where it goes, --to DIR");
      const std::string name = fmt::format("{}-{}.{}", target.domain, disk.disk, disk::name_of(format));
      if (host_ && !directory.is_absolute())
        throw Error(Code::usage, "--to " + directory.string() + ": of another host, write it from / on");
      steps.push_back({&disk, new_target({.path = fs::absolute(directory / name).lexically_normal(),
                                          .size_bytes = disk.map.size_bytes,
                                          .format = format,
                                          .delta = program_.settings.flag("delta")})});
    }
    return steps;
  }

  // The machine's own, of the same names.
  std::vector<RestoreStep> files_of(const VmTarget& target, const json& facts) const {
    std::vector<RestoreStep> steps;
    for (const auto& disk : listed_.point.disks) {
      const auto& own = facts.at("disks");
      const auto found =
          std::find_if(own.begin(), own.end(), [&](const json& d) { return d.at("target") == disk.disk; });
      if (found == own.end())
        throw Error(Code::refused, "'" + target.name + "' has no disk " + disk.disk + ", which the restore point has");
      if (found->at("encrypted").get<bool>())
        throw Error(Code::unsupported, fmt::format("disk {} of '{}' is encrypted by its hypervisor, and muster has not "
                                                   "the key: --as NAME restores beside it, in clear",
                                                   disk.disk, target.name));
      const std::string path = found->at("source"), format = found->at("format");
      const auto known = disk::image_format_named(format);
      if (!known || !path.starts_with('/'))
        throw Error(Code::unsupported, fmt::format("disk {} of '{}' is {} ({}): only files and devices, raw or qcow2, "
                                                   "are written to",
                                                   disk.disk, target.name, path, format));
      steps.push_back(
          {&disk, new_target({.path = path, .size_bytes = disk.map.size_bytes, .format = known, .delta = true})});
    }
    return steps;
  }

  static json places_of(const std::vector<RestoreStep>& steps) {
    json places = json::object();
    for (const auto& step : steps)
      places[step.disk->disk] = {{"path", step.target->path()}, {"format", disk::name_of(step.target->format())}};
    return places;
  }

  int show_plan(const std::vector<RestoreStep>& steps, const std::string& then) {
    show_restore_plan(program_, listed_, steps);
    if (!then.empty()) return close_plan(program_, "restore", then);
    return close_backup(program_, {{"plan", "restore"}}, kAllWorked);
  }

  int close(const std::vector<RestoreStep>& steps, int status) {
    return close_backup(program_, {{"disks", steps.size()}}, status);
  }

  const Program& program_;
  HypervisorWorkers workers_;
  const OpenedRepository opened_;
  const std::vector<ListedPoint> points_;
  const ListedPoint& listed_;
  std::optional<SshPlace> host_;  // where the machine's is another
};

}  // namespace

int restore_as_machine(const Program& program, const PointWord& word) {
  const Settings& settings = program.settings;
  if (!settings.flag("in-place")) return MachineRestore(program, word).as_new(settings.text("as").value());
  for (const char* option : {"as", "to", "format", "same-identity", "delta", "master", "guest"})
    if (settings.given_now(option)) settings.reject(option, "not with --in-place, which writes over a machine's disks");
  return MachineRestore(program, word).in_place();
}

}  // namespace muster::cli
