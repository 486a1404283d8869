// muster backup serve POINT --boot NAME: a machine runs from the repository at once, and is moved into images of its
// own while it runs. Every step leaves something that the same command goes on from.
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backup/index.h"
#include "backup/labels.h"
#include "base/error.h"
#include "base/quantity.h"
#include "cli/backup_commands.h"
#include "cli/backup_create_order.h"
#include "cli/backup_json.h"
#include "cli/backup_machine_parts.h"
#include "cli/backup_point.h"
#include "cli/backup_progress.h"
#include "cli/backup_restoration.h"
#include "cli/boot_export.h"
#include "cli/exit_status.h"
#include "cli/hypervisor_workers.h"
#include "cli/json_lines.h"
#include "cli/machine_source.h"
#include "cli/vm_run.h"
#include "cli/vm_selection.h"
#include "disk/overlay.h"

namespace muster::cli {
namespace {

using backup::ListedPoint;
using base::Code;
using base::Error;
using nlohmann::json;
using std::chrono::milliseconds;
namespace fs = std::filesystem;

constexpr milliseconds kTick{250};
// A daemon that is being restarted is back by then.
constexpr std::chrono::seconds kAwayPatience{60};

// Where no image can be made beside it.
bool is_device_name(const std::string& path) { return path.starts_with("/dev/") && !path.starts_with("/dev/shm/"); }

// False once a stop is requested.
bool pause(const std::stop_token& stop, milliseconds time) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any wake;
  wake.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

class BootServe {
 public:
  BootServe(const Program& program, const std::string& name, const PointWord& word)
      : program_(program),
        began_(base::Clock::now()),
        // An interrupt must not keep it from leaving the machine in order: no worker is told of it.
        calm_{.stop = {}, .events = program.ctx.events},
        workers_(calm_, connect_patience(program.settings)),
        target_(machine_to_be(program, name)),
        opened_(open_repository(program)),
        points_(backup::list_points(opened_.context, opened_.repository)),
        listed_(find_point(points_, word.point)) {
    check_may_read(opened_);
    check_is_on_this_host(target_);
    if (word.disk) throw Error(Code::usage, "a machine runs from all its disks: leave out :" + *word.disk);
    if (!listed_.point.machine)
      throw Error(Code::usage, "restore point " + short_id(listed_.point.id) +
                                   " is of images, and knows no machine: serve its disks with --socket or --port");
  }

  int run() {
    const json found = call("served_look", {{"name", target_.domain}});
    check_free(found);
    const json served = found.value("served", json());
    if (program_.settings.flag("dry-run")) return plan(served);
    const json facts = call("boot_prepare", json::object());
    std::optional<SocketOwner> owner;
    if (facts.contains("emulator")) owner = {facts["emulator"].at("user"), facts["emulator"].at("group")};
    const std::string place =
        served.is_null() ? boot_place(program_.settings, owner) : served.at("place").get<std::string>();
    const BootDirectory directory(place, target_.domain);
    BootExport exports(opened_, listed_.point, directory, {.writes = ExportOptions::Writes::refused, .owner = owner});
    begin(served, place, exports);
    return move(exports);
  }

 private:
  json call(const std::string& operation, const json& arguments) {
    return workers_.call(target_.uri, operation, arguments, kUsualPatience);
  }
  json call_of_machine(const std::string& operation) { return call(operation, {{"domain", target_.domain}}); }
  std::string point_id() const { return backup::hex(listed_.point.id); }

  // Nobody else's, or this very one.
  void check_free(const json& found) {
    if (found.contains("served")) {
      if (found["served"].at("point") == point_id() && found["served"].at("repository") == repository_id()) return;
      throw Error(Code::refused, "'" + target_.domain + "' on " + target_.uri + " runs from another restore point, " +
                                     found["served"].at("point").get<std::string>());
    }
    json place{{"name", target_.domain}};
    if (program_.settings.flag("same-identity")) place["uuid"] = listed_.point.machine->uuid;
    if (!call("backup_place", place).at("free").get<bool>())
      throw Error(Code::refused, "the machine '" + target_.domain + "', or the one that was backed up, is on " +
                                     target_.uri + " already");
  }
  std::string repository_id() const { return backup::hex(opened_.repository.id()); }

  // --- where its images are

  // Beside where the disks were, or in --to DIR.
  std::map<std::string, std::string> new_images() const {
    const auto to = program_.settings.text("to");
    std::map<std::string, std::string> images;
    for (const auto& disk : listed_.point.disks) {
      const fs::path directory = to ? fs::path(*to) : fs::path(disk.source).parent_path();
      if (!to && (!directory.is_absolute() || is_device_name(disk.source)))
        throw Error(Code::usage, "disk " + disk.disk + " was " + disk.source + ": say where it goes, --to DIR");
      const std::string path =
          fs::absolute(directory / fmt::format("{}-{}.qcow2", target_.domain, disk.disk)).lexically_normal();
      if (!fs::is_directory(fs::path(path).parent_path()))
        throw Error(Code::not_found, "no directory " + fs::path(path).parent_path().string());
      if (fs::exists(path)) throw Error(Code::refused, path + " is there already");
      images[disk.disk] = path;
    }
    return images;
  }
  static std::map<std::string, std::string> images_of(const json& served) {
    std::map<std::string, std::string> images;
    for (const auto& disk : served.at("disks")) images[disk.at("target")] = disk.at("path");
    return images;
  }

  int plan(const json& served) {
    if (!served.is_null())
      return close_plan(program_, "serve",
                        fmt::format("go on with '{}' on {}, which runs from {}", target_.domain, target_.uri, label()));
    std::string what = fmt::format("run '{}' on {} from {}, and move it to", target_.domain, target_.uri, label());
    for (const auto& [disk, path] : new_images()) what += " " + path;
    return close_plan(program_, "serve", what);
  }

  // --- until it runs

  void begin(const json& served, const std::string& place, const BootExport& exports) {
    pinned_for_this_ = !served.is_null() && served.at("pinned").get<bool>();
    const bool begun = !served.is_null() && (served.at("begun").get<bool>() || served.at("state") != "shut off");
    if (begun) {
      check_images(served);
      call_of_machine("served_run");
    } else {
      // What was defined and never ran may lack what its firmware keeps.
      const auto images = served.is_null() ? new_images() : images_of(served);
      if (!served.is_null()) call_of_machine("served_undo");
      begin_anew(images, place, exports);
    }
    started_ = std::chrono::duration_cast<milliseconds>(base::Clock::now() - began_);
    tell(program_, fmt::format("{}: runs from {} after {}, and is moved to its own images now", target_.name, label(),
                               base::format_duration(started_)));
    if (program_.json())
      program_.console.out(json_line("result", {{"name", target_.name},
                                                {"uri", target_.uri},
                                                {"point", point_id()},
                                                {"outcome", "started"},
                                                {"duration", seconds_of(started_)}}));
  }

  void begin_anew(const std::map<std::string, std::string>& images, const std::string& place,
                  const BootExport& exports) {
    std::vector<std::string> made;
    try {
      define(images, place, exports);
      for (const auto& disk : listed_.point.disks) {
        const std::string& path = images.at(disk.disk);
        if (fs::exists(path)) continue;
        disk::create_overlay(opened_.context, path,
                             {.socket = exports.sockets().at(disk.disk), .size_bytes = disk.map.size_bytes});
        made.push_back(path);
      }
      call_of_machine("served_run");
    } catch (const Error&) {
      undo(made);
      throw;
    }
  }

  void define(const std::map<std::string, std::string>& images, const std::string& place, const BootExport& exports) {
    const auto index = backup::Index::load(opened_.context, opened_.repository);
    // Noted before it is done: whoever goes on after a kill takes it away.
    const bool pinned = is_pinned();
    pinned_for_this_ = pinned_for_this_ || !pinned;
    json wanted = machine_parts(opened_, *index, listed_.point);
    json disks = json::object();
    for (const auto& [disk, path] : images) disks[disk] = {{"path", path}, {"format", "qcow2"}};
    wanted.update({{"name", target_.domain},
                   {"same_identity", program_.settings.flag("same-identity")},
                   {"start", false},
                   {"disks", std::move(disks)},
                   {"served",
                    {{"repository", repository_id()},
                     {"point", point_id()},
                     {"place", place},
                     {"pinned", pinned_for_this_},
                     {"sockets", exports.sockets()}}}});
    for (const auto& left_out : call("backup_define", wanted).at("left_out"))
      program_.ctx.warn(
          fmt::format("{}: without {}, which is the old machine's", target_.name, left_out.get<std::string>()));
    if (!pinned) set_pin(true);
  }

  bool is_pinned() const {
    const auto labels = backup::read_labels(opened_.context, opened_.repository);
    return backup::labels_of(listed_.point, labels).pinned;
  }
  // While this is away, nobody else says that the machine needs it.
  void set_pin(bool on) {
    try {
      backup::change_labels(opened_.context, opened_.repository, listed_.point.id, {.pin = on});
    } catch (const Error& e) {
      if (e.code() != Code::io && e.code() != Code::no_space) throw;
      program_.ctx.warn(fmt::format("the restore point could not be {} ({})",
                                    on ? "pinned: do not let go of it before the machine is moved" : "unpinned",
                                    e.what()));
    }
  }
  void unpin() {
    if (pinned_for_this_) set_pin(false);
    pinned_for_this_ = false;
  }

  // As if it had never begun: images of this run, which the machine has not used.
  void undo(const std::vector<std::string>& made) {
    try {
      if (!call_of_machine("served_undo").at("undone").get<bool>()) return;
      for (const auto& path : made) fs::remove(path);
      unpin();
    } catch (const std::exception&) {
      // What went wrong before tells more; the same command goes on from here.
    }
  }

  static void check_images(const json& served) {
    for (const auto& [disk, path] : images_of(served))
      if (!fs::exists(path))
        throw Error(Code::not_found, "disk " + disk + " is gone, with what was written to it: " + path);
  }

  // --- until it is moved

  int move(BootExport& exports) {
    const std::uint64_t rate = limit_rate(program_.settings);
    backup::Progress progress;
    const BackupProgress shown(program_, target_.name, progress);
    json machine;
    for (;;) {
      exports.keep_up();
      if (const auto now = move_on(rate)) {
        machine = *now;
        note(machine, progress);
        if (machine.at("moved").get<bool>()) break;
        if (machine.at("state") == "shut off") return went_off();
      }
      if (!pause(opened_.context.stop, kTick)) return hold();
    }
    unpin();
    call_of_machine("served_settle");
    return close(machine);
  }
  // nullopt: the hypervisor does not answer just now; the machine goes on without it.
  std::optional<json> move_on(std::uint64_t rate) {
    try {
      json machine = call("served_move", {{"domain", target_.domain}, {"bytes_per_second", rate}});
      answered_ = base::Clock::now();
      return machine;
    } catch (const Error& e) {
      if (e.code() != Code::unreachable || base::Clock::now() - answered_ > kAwayPatience) throw;
      return std::nullopt;
    }
  }

  void note(const json& machine, backup::Progress& progress) {
    std::uint64_t done = 0, total = 0;
    for (const auto& disk : machine.at("disks")) {
      const std::string target = disk.at("target");
      if (disk.contains("total")) totals_[target] = disk["total"];
      const bool moved = disk.at("moved").get<bool>();
      done += moved ? totals_[target] : disk.value("done", std::uint64_t{0});
      total += totals_[target];
    }
    progress.total = total;
    progress.done = done;
    if (machine.at("reason") != "I/O error") return;
    if (!told_of_errors_) program_.ctx.warn("'" + target_.domain + "' waits for its disks, and goes on by itself");
    told_of_errors_ = true;
  }

  int hold() {
    call_of_machine("served_hold");
    program_.console.err(
        fmt::format("muster backup: '{}' is paused: part of its disks is in the repository alone. "
                    "The same command lets it go on\n",
                    target_.domain));
    return close_backup(program_, fields("paused"), kInterrupted);
  }

  int went_off() {
    program_.console.err(
        fmt::format("muster backup: '{}' went off before its disks were moved. The same command "
                    "starts it again\n",
                    target_.domain));
    return close_backup(program_, fields("off"), kNothingWorked);
  }

  int close(const json& machine) {
    json disks = json::array();
    for (const auto& disk : machine.at("disks"))
      disks.push_back({{"disk", disk.at("target")}, {"to", disk.at("path")}});
    json result = fields("moved");
    result.update({{"name", target_.name}, {"uri", target_.uri}, {"point", point_id()}, {"disks", std::move(disks)}});
    if (program_.json()) program_.console.out(json_line("result", std::move(result)));
    tell(program_, fmt::format("{}: moved to its own images", target_.name));
    return close_backup(program_, fields("moved"), kAllWorked);
  }
  json fields(const char* outcome) const {
    return {{"outcome", outcome},
            {"duration", seconds_of(std::chrono::duration_cast<milliseconds>(base::Clock::now() - began_))}};
  }

  std::string label() const {
    return fmt::format("{} of {}", short_id(listed_.point.id), local_time(listed_.point.time));
  }

  const Program& program_;
  const base::TimePoint began_;
  const base::Context calm_;
  HypervisorWorkers workers_;
  const VmTarget target_;
  const OpenedRepository opened_;
  const std::vector<ListedPoint> points_;
  const ListedPoint& listed_;
  milliseconds started_{};
  std::map<std::string, std::uint64_t> totals_;
  bool told_of_errors_ = false, pinned_for_this_ = false;
  base::TimePoint answered_ = base::Clock::now();
};

}  // namespace

int backup_serve_boot(const BackupCommand& command, const std::string& name) {
  const Settings& settings = command.program.settings;
  for (const char* option : {"overlay", "port", "socket"})
    if (settings.given_now(option)) settings.reject(option, "not with --boot, which serves the machine alone");
  return BootServe(command.program, name, parse_point_word(command.only_word())).run();
}

}  // namespace muster::cli
