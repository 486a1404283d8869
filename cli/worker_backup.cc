// Operations of a worker for a backup: it begins at one moment, is read by whoever asked, over NBD, and ends. A backup
// that was begun ends with the worker.
#include <array>
#include <filesystem>
#include <map>
#include <mutex>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/guest_watchdog.h"
#include "cli/job_watchdog.h"
#include "cli/worker_operations.h"
#include "cli/worker_parts.h"
#include "virt/attempts.h"
#include "virt/backup_job.h"
#include "virt/domain_xml.h"
#include "virt/identity.h"
#include "virt/image_files.h"
#include "virt/lifecycle.h"
#include "virt/served_definition.h"
#include "vm/claims.h"
#include "vm/disk_ownership.h"
#include "vm/live_backup.h"
#include "vm/served_machine.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;
using std::chrono::seconds;

constexpr std::chrono::seconds kEndPatience{20};

// A backup that is under way.
struct OpenBackup {
  std::string uri, uuid;
  std::string label, keep;
  base::UniqueFd lock;
  std::unique_ptr<vm::WatchdogProcess> watchdog{};  // of its job
};

class OpenBackups {
 public:
  void add(OpenBackup backup) {
    const std::lock_guard lock(mutex_);
    const std::string uuid = backup.uuid;
    backups_.insert_or_assign(uuid, std::move(backup));
  }
  void watch(const std::string& uuid, std::unique_ptr<vm::WatchdogProcess> watchdog) {
    const std::lock_guard lock(mutex_);
    if (const auto found = backups_.find(uuid); found != backups_.end()) found->second.watchdog = std::move(watchdog);
  }
  std::optional<OpenBackup> take(const std::string& uuid) {
    const std::lock_guard lock(mutex_);
    const auto found = backups_.find(uuid);
    if (found == backups_.end()) return std::nullopt;
    OpenBackup backup = std::move(found->second);
    backups_.erase(found);
    return backup;
  }
  // Each in a thread of its own: one may hang.
  void end_all() {
    const std::lock_guard lock(mutex_);
    std::vector<virt::Attempts<bool>> attempts(backups_.size());
    std::size_t i = 0;
    for (const auto& [uuid, backup] : backups_)
      // Over a connection of its own: the worker's may be what is broken.
      attempts[i++].start([uri = backup.uri, uuid = backup.uuid, label = backup.label, keep = backup.keep] {
        const virt::Connection connection(uri);
        vm::end_live_backup({}, connection.domain(uuid), label, keep);
        return true;
      });
    const auto deadline = base::Clock::now() + kEndPatience;
    auto attempt = attempts.begin();
    for (const auto& [uuid, backup] : backups_) {
      try {
        (attempt++)->first({}, std::chrono::duration_cast<std::chrono::milliseconds>(deadline - base::Clock::now()));
        if (backup.watchdog) backup.watchdog->call_off();
      } catch (const Error&) {
        // Its watchdog goes on, and the next backup finds it.
      }
    }
  }

 private:
  std::mutex mutex_;
  std::map<std::string, OpenBackup> backups_;
};

OpenBackups& open_backups() {
  static OpenBackups backups;
  return backups;
}

std::optional<vm::EarlierBackup> earlier_of(const json& arguments) {
  if (!arguments.contains("earlier")) return std::nullopt;
  const json& fields = arguments["earlier"];
  vm::EarlierBackup earlier{
      .checkpoint = fields.value("checkpoint", ""), .checkpoint_xml = fields.value("checkpoint_xml", ""), .disks = {}};
  for (const auto& disk : fields.at("disks"))
    earlier.disks.push_back(
        {.target = disk.at("target"), .source = disk.at("source"), .size_bytes = disk.at("size_bytes")});
  return earlier;
}

vm::Freeze freeze_of(const std::string& word) {
  if (word == "require") return vm::Freeze::required;
  return word == "none" ? vm::Freeze::none : vm::Freeze::automatic;
}

// Where this domain's QEMU has its own sockets: in the directory that libvirt made for it, which its user and its
// confinement let it use.
std::string own_directory(const virt::Domain& domain, const json& arguments) {
  if (const auto told = arguments.value("directory", ""); !told.empty()) return told;
  if (!arguments.value("scratch", "").empty()) return "";
  const std::string prefix = "domain-" + std::to_string(domain.id()) + "-";
  // Of the system's daemon, and of the user's own.
  for (const std::string& place :
       {std::string("/var/lib/libvirt/qemu"), arguments.at("session_directory").get<std::string>() + "/qemu/lib"}) {
    std::error_code unseen;
    for (const auto& entry : std::filesystem::directory_iterator(place, unseen))
      if (entry.path().filename().string().starts_with(prefix)) return entry.path();
  }
  throw Error(Code::unsupported, "'" + domain.name() +
                                     "': the directory of its QEMU is not on this machine: name one with --scratch "
                                     "that QEMU and muster can both use");
}

vm::Watchdog watchdog(const WorkerCall& call, const virt::Domain& domain, Hold hold, seconds budget) {
  return watchdog_command({.uri = call.connection.uri(), .domain = domain.uuid(), .hold = hold, .budget = budget});
}

json disk_fields(const vm::LiveDisk& disk) {
  return {{"target", disk.target},
          {"source", disk.source},
          {"format", disk.format},
          {"size_bytes", disk.size_bytes},
          {"whole_because", disk.whole_because},
          {"bitmap", disk.bitmap},
          {"encrypted", disk.encrypted},
          {"changes_context", virt::changes_context(disk.target)}};
}

json machine_fields(const WorkerCall& call, const virt::Domain& domain) {
  return {{"uuid", domain.uuid()}, {"hypervisor", call.connection.host_name()}, {"parts", parts_of(call, domain)}};
}

json begin(const WorkerCall& call) {
  const auto domain = call.domain();
  const json& arguments = call.arguments;
  auto lock = vm::lock_backup(arguments.at("runtime_directory"), domain);
  const seconds budget(arguments.at("freeze_budget_s").get<std::int64_t>());
  const vm::LiveRequest request{.label = arguments.at("label"),
                                .checkpoint = arguments.at("checkpoint"),
                                .earlier = earlier_of(arguments),
                                .without = arguments.at("without"),
                                .unrecorded = arguments.at("unrecorded"),
                                .directory = own_directory(domain, arguments),
                                .elsewhere = !arguments.value("directory", "").empty(),
                                .scratch = arguments.value("scratch", ""),
                                .hold = {.freeze = freeze_of(arguments.at("freeze")),
                                         .pause = arguments.at("pause"),
                                         .budget = budget,
                                         .thaw_watchdog = watchdog(call, domain, Hold::frozen, budget),
                                         .resume_watchdog = watchdog(call, domain, Hold::paused, budget)},
                                .job_watchdog = job_watchdog_command(call.connection.uri(), domain.uuid())};
  // Known before it begins: killed in between, nobody has to look for it.
  open_backups().add({.uri = call.connection.uri(),
                      .uuid = domain.uuid(),
                      .label = request.label,
                      .keep = request.earlier ? request.earlier->checkpoint : "",
                      .lock = std::move(lock)});
  try {
    auto backup = vm::begin_live_backup(call.ctx, domain, request);
    open_backups().watch(domain.uuid(), std::move(backup.watchdog));
    json disks = json::array();
    for (const auto& disk : backup.disks) disks.push_back(disk_fields(disk));
    json result = machine_fields(call, domain);
    result.update({{"socket", backup.socket},
                   {"checkpoint_xml", backup.checkpoint_xml},
                   {"consistency", backup.consistency},
                   {"held_ms", backup.held.count()},
                   {"disks", std::move(disks)}});
    return result;
  } catch (const Error&) {
    if (auto open = open_backups().take(domain.uuid())) {
      try {
        vm::end_live_backup(call.ctx, domain, open->label, open->keep);
      } catch (const Error& e) {
        call.ctx.warn(e.what());  // what kept it from beginning tells more
      }
    }
    throw;
  }
}

// `keep`: the checkpoint that the latest restore point names now. `ended_because`: why the job had ended by itself.
json end(const WorkerCall& call) {
  const std::string uuid = call.arguments.at("uuid");
  const auto domain = call.connection.domain(uuid);
  auto open = open_backups().take(uuid);
  // Begun by a worker that is gone. What is another's by now is not ended.
  base::UniqueFd lock;
  if (!open) lock = vm::lock_backup(call.arguments.at("runtime_directory"), domain);
  const std::string why = open && open->watchdog ? open->watchdog->said() : "";
  // It lets the guest go on.
  if (!why.empty()) open->watchdog->await_end();
  try {
    vm::end_live_backup(call.ctx, domain, call.arguments.at("label"), call.arguments.at("keep"));
  } catch (const Error&) {
    if (open) open_backups().add(std::move(*open));  // to be ended again
    throw;
  }
  if (open && open->watchdog) open->watchdog->call_off();
  return {{"ended_because", why.substr(0, why.find('\n'))}};
}

// A machine, and where its disks are, as it runs or, off, as it is defined.
json look(const WorkerCall& call) {
  const auto domain = call.domain();
  vm::check_can_be_backed_up(domain);
  json result = machine_fields(call, domain);
  result["active"] = domain.active();
  result["id"] = domain.active() ? std::int64_t{domain.id()} : -1;
  result["name"] = domain.name();
  result["state"] = virt::name_of(domain.state());
  json disks = json::array();
  const auto xml = domain.xml(domain.active() ? virt::Domain::Xml::current : virt::Domain::Xml::definition);
  for (const auto& disk : virt::DomainXml(xml).disks())
    if (vm::is_backed_up(disk))
      disks.push_back({{"target", disk.target},
                       {"source", disk.source},
                       {"format", disk.format.empty() ? "raw" : disk.format},
                       {"type", disk.type},
                       {"path", virt::image_path(call.connection, disk)},
                       {"encrypted", disk.encrypted}});
  result["disks"] = std::move(disks);
  return result;
}

// Who else uses the images of a machine's disks: they would be written over under them.
json users(const WorkerCall& call) {
  const auto domain = call.domain();
  vm::check_unclaimed(call.ctx, call.connection, domain);
  json users = json::array();
  const auto images = vm::ownership(call.ctx, call.connection, {.domain = domain});
  for (const auto& image : images.images)
    for (const auto& user : image.users) users.push_back({{"path", image.path}, {"user", user}});
  return {{"users", users}};
}

// Whether a machine of that name, and that UUID, can be made.
json place(const WorkerCall& call) {
  bool free = true;
  for (const char* field : {"name", "uuid"})
    if (const auto wanted = call.arguments.value(field, ""); !wanted.empty())
      free = free && !call.connection.find_domain(wanted);
  json unpooled = json::array();
  for (const auto& directory : call.arguments.value("directories", std::vector<std::string>{}))
    if (!virt::pool_of_directory(call.connection, directory)) unpooled.push_back(directory);
  return {{"free", free}, {"unpooled", std::move(unpooled)}};
}

std::map<std::string, virt::ImagePlace> image_places(const json& fields) {
  std::map<std::string, virt::ImagePlace> places;
  for (const auto& [target, place] : fields.items())
    places[target] = {.path = place.at("path"), .format = place.at("format")};
  return places;
}

// It is to run before its disks are there.
std::string from_repository(const std::string& xml, const json& served) {
  return virt::served_definition(virt::DomainXml(xml), served.at("sockets").get<std::map<std::string, std::string>>(),
                                 vm::served_mark({.repository = served.at("repository"),
                                                  .point = served.at("point"),
                                                  .place = served.at("place"),
                                                  .pinned_for_this = served.at("pinned")}));
}

// A restored machine, once its disks are there.
json define(const WorkerCall& call) {
  const json& wanted = call.arguments;
  const virt::DomainXml before(wanted.at("domain_xml").get<std::string>());
  const virt::NewIdentity identity{.name = wanted.at("name"), .disks = image_places(wanted.at("disks"))};
  virt::Rewritten rewritten;
  if (wanted.at("same_identity").get<bool>())
    rewritten = virt::with_images(before, identity);
  else
    rewritten = virt::with_new_identity(before, identity);
  const std::string variables = prepare_parts(call, rewritten);
  if (wanted.contains("served")) rewritten.xml = from_repository(rewritten.xml, wanted["served"]);
  const auto domain = call.connection.define(rewritten.xml);
  try {
    place_parts(call, domain, variables);
  } catch (const Error&) {
    // Without them it would start as another: a second try is to find its place free.
    virt::undefine(domain, virt::FirmwareState::kept);
    throw;
  }
  if (wanted.at("start").get<bool>()) virt::start(domain);
  return {{"left_out", rewritten.left_out}, {"uuid", domain.uuid()}, {"state", virt::name_of(domain.state())}};
}

constexpr std::array kBackupOperations{WorkerOperation{"backup_place", place}, WorkerOperation{"backup_define", define},
                                       WorkerOperation{"backup_look", look},   WorkerOperation{"backup_users", users},
                                       WorkerOperation{"backup_begin", begin}, WorkerOperation{"backup_end", end}};

}  // namespace

std::span<const WorkerOperation> backup_operations() { return kBackupOperations; }

void end_open_backups() { open_backups().end_all(); }

}  // namespace muster::cli
