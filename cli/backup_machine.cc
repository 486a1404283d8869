#include "cli/backup_machine.h"

#include <algorithm>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/error.h"
#include "cli/environment.h"
#include "disk/nbd_disk.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

// An agent that hangs, a job that begins: each has its own deadline, and this is beyond all of them.
constexpr std::chrono::minutes kBeginPatience{3};
constexpr std::chrono::minutes kEndPatience{3};
// A daemon that is being restarted is back by then.
constexpr std::chrono::seconds kEndTries{20};
constexpr std::chrono::milliseconds kEndInterval{500};
constexpr std::chrono::seconds kFreezeBudget{5};
constexpr std::size_t kLabelDigits = 12;

std::string label_of(const backup::Repository& repository) {
  return "muster-" + backup::hex(repository.id()).substr(0, kLabelDigits);
}

// What is known of changes is relative to the point that names the checkpoint.
json earlier_fields(const backup::RestorePoint& latest) {
  const auto& machine = latest.machine.value();
  json disks = json::array();
  for (const auto& disk : latest.disks)
    if (!disk.bitmap.empty())
      disks.push_back({{"target", disk.disk}, {"source", disk.source}, {"size_bytes", disk.map.size_bytes}});
  return {{"disks", disks}, {"checkpoint", machine.checkpoint}, {"checkpoint_xml", machine.checkpoint_xml}};
}

// The point at which the checkpoint began that the latest one names; nullptr: there is none, or it is another
// machine's.
const backup::RestorePoint* beginning_of_checkpoint(const std::vector<backup::RestorePoint>& history,
                                                    const std::string& uuid) {
  if (history.empty() || !history.back().machine || history.back().machine->checkpoint.empty()) return nullptr;
  const auto found = std::find_if(history.rbegin(), history.rend(), [&](const backup::RestorePoint& point) {
    return point.machine && point.machine->begins && point.machine->uuid == uuid &&
           point.machine->checkpoint == history.back().machine->checkpoint;
  });
  return found == history.rend() ? nullptr : &*found;
}

std::vector<backup::PartSource> parts_of(const json& facts) {
  std::vector<backup::PartSource> parts;
  for (const auto& [part, content] : facts.at("parts").items()) {
    const auto text = base::base64_decode(content.get<std::string>()).value_or("");
    const auto bytes = base::as_bytes(text);
    parts.push_back({.part = part, .bytes = {bytes.begin(), bytes.end()}});
  }
  return parts;
}

bool is_secret(const backup::PartSource& part) { return part.part == "secrets"; }

const backup::DiskPoint* disk_in(const backup::RestorePoint& point, const std::string& disk) {
  const auto found = std::find_if(point.disks.begin(), point.disks.end(),
                                  [&](const backup::DiskPoint& candidate) { return candidate.disk == disk; });
  return found == point.disks.end() ? nullptr : &*found;
}

// Why no record of changes in that image is worth anything; empty: it may be.
std::string records_nothing(const disk::ImageFacts& facts) {
  // Whatever opens that file writes past the image, and its record; so do other programs while the machine is off.
  if (facts.data_apart) return "its data are in a file of their own, where no record of changes is sure";
  if (!facts.keeps_bitmaps)
    return "qcow2 images of version 2 keep no record of changes; once the machine is off, `qemu-img amend -o "
           "compat=1.1` makes it one that does";
  return "";
}

// Why the bitmap that an image keeps tells nothing of what changed; empty: it tells.
std::string unusable(const disk::ImageFacts& facts, const std::string& path, const backup::DiskPoint& earlier) {
  if (const std::string why = records_nothing(facts); !why.empty()) return why;
  if (facts.virtual_size_bytes != earlier.map.size_bytes) return "its size changed";
  if (path != earlier.source) return "its image is another, or has moved";
  // With a snapshot outside of it, each layer has recorded a part.
  if (facts.bitmaps_below) return "there is a snapshot below it, which recorded a part of what changed";
  for (const auto& found : facts.bitmaps)
    if (found.name == earlier.bitmap)
      return found.in_use     ? "its record of changes was not closed: QEMU ended without writing it"
             : !found.records ? "its record of changes had been stopped"
                              : "";
  return "its image has no record of changes since the last backup";
}

// A time that has not come yet says nothing: what changes it later may leave it as it is.
bool is_untouched(const OpenedImage& image, const backup::DiskPoint& latest) {
  const auto now =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  return is_unchanged(image, latest) && image.source.changed_ns &&
         image.source.changed_ns == latest.source_changed_ns && *image.source.changed_ns < now &&
         *image.source.modified_ns < now;
}

// Over a daemon's restart.
template <typename Call>
auto patient(const Call& call) {
  for (const auto deadline = base::Clock::now() + kEndTries;; std::this_thread::sleep_for(kEndInterval)) {
    try {
      return call();
    } catch (const Error& e) {
      if (e.code() != Code::unreachable || base::Clock::now() >= deadline) throw;
    }
  }
}

}  // namespace

MachineSources machine_sources(const base::Context& ctx, HypervisorWorkers& workers,
                               const backup::Repository& repository, const MachineOptions& options) {
  return {.ctx = ctx,
          .workers = workers,
          .repository = repository,
          .options = options,
          .runtime_directory = runtime_directory(),
          .session_directory = libvirt_directory(),
          .disks = local_disks()};
}

MachineBackup::MachineBackup(const MachineSources& sources, const VmTarget& target,
                             const std::vector<backup::RestorePoint>& history)
    : sources_(sources),
      target_(target),
      latest_(history.empty() ? nullptr : &history.back()),
      label_(label_of(sources.repository)),
      checkpoint_(label_ + "-" + backup::hex(backup::random_object_id())) {
  sources.disks->check(target);
  const json facts = sources.workers.call(target.uri, "backup_look",
                                          {{"domain", target.domain}, {"session_directory", sources.session_directory}},
                                          kBeginPatience);
  machine_.uuid = facts.at("uuid");
  machine_.hypervisor = facts.at("hypervisor");
  known_ = beginning_of_checkpoint(history, machine_.uuid);
  try {
    const bool active = facts.at("active");
    check_encrypted_disks(facts.at("disks"), active);
    active ? begin(facts) : open_stopped(facts);
  } catch (const Error& e) {
    explain_failure(e);
    give_up();
    throw;
  } catch (...) {
    give_up();
    throw;
  }
}

MachineBackup::~MachineBackup() { give_up(); }

void MachineBackup::give_up() {
  disks_.clear();
  if (finished_) return;
  try {
    end(kept_checkpoint());
  } catch (const Error& e) {
    sources_.ctx.warn(e.what());
  }
}

void MachineBackup::begin(const json& facts) {
  for (const auto& disk : facts.at("disks"))
    if (sources_.options.scratch.empty() && disk.at("type") == "file")
      sources_.disks->remove_scratch(sources_.ctx, disk.at("source"), label_);
  json arguments{
      {"domain", target_.domain},
      {"label", label_},
      {"checkpoint", checkpoint_},
      {"without", sources_.options.without},
      {"scratch", sources_.options.scratch},
      {"directory", sources_.disks->directory_of(sources_.ctx, {.id = facts.at("id"), .name = facts.at("name")})},
      {"session_directory", sources_.session_directory},
      {"runtime_directory", sources_.runtime_directory},
      {"freeze", sources_.options.freeze},
      {"freeze_budget_s", kFreezeBudget.count()},
      {"pause", sources_.options.pause}};
  arguments["unrecorded"] = unrecorded(facts);
  if (known_ != nullptr) arguments["earlier"] = earlier_fields(*known_);
  // One that does not begin is undone by the worker.
  const json begun = sources_.workers.call(target_.uri, "backup_begin", arguments, kBeginPatience);
  running_ = true;
  open_running(begun);
}

// Disks of the running machine that libvirt would not tell from others before it fails for all.
json MachineBackup::unrecorded(const json& facts) const {
  json all = json::object();
  for (const auto& disk : facts.at("disks")) {
    const std::string path = disk.at("path");
    if (disk.at("format") != "qcow2" || !path.starts_with('/')) continue;
    try {
      const auto image = sources_.disks->facts(sources_.ctx, path, disk::ImageFormat::qcow2);
      if (const std::string why = records_nothing(image); !why.empty()) all[disk.at("target")] = why;
    } catch (const Error& e) {
      if (e.code() == Code::cancelled) throw;  // else QEMU, which has it open, decides
    }
  }
  return all;
}

// In clear it is what the hypervisor is to keep secret.
void MachineBackup::check_encrypted_disks(const json& disks, bool active) const {
  const auto& without = sources_.options.without;
  for (const auto& disk : disks) {
    const std::string target = disk.at("target");
    if (!disk.at("encrypted").get<bool>() || std::find(without.begin(), without.end(), target) != without.end())
      continue;
    if (!sources_.repository.config().encrypted)
      throw Error(Code::refused, fmt::format("disk {} of '{}' is encrypted by its hypervisor, and this repository is "
                                             "not encrypted: use one that is, or --without-disk {}",
                                             target, target_.name, target));
    if (!active)
      throw Error(Code::unsupported, fmt::format("'{}' is off, and disk {} is encrypted by its hypervisor: such disks "
                                                 "are backed up while the machine runs",
                                                 target_.name, target));
  }
}

void MachineBackup::open_running(const json& begun) {
  check_encrypted_disks(begun.at("disks"), true);
  consistency_ = begun.at("consistency");
  held_ = std::chrono::milliseconds(begun.at("held_ms").get<std::int64_t>());
  take_parts(begun);
  machine_.checkpoint_xml = begun.at("checkpoint_xml");
  if (!machine_.checkpoint_xml.empty()) {
    machine_.checkpoint = checkpoint_;
    machine_.begins = true;
  }
  const auto socket = sources_.disks->reach(sources_.ctx, begun.at("socket"));
  for (const auto& fields : begun.at("disks")) {
    OpenedImage image;
    image.source.disk = fields.at("target");
    image.source.source = fields.at("source");
    image.source.format = fields.at("format");
    image.source.whole_because = fields.at("whole_because");
    image.source.bitmap = fields.at("bitmap");
    const std::string uri = disk::nbd_unix_uri(socket.path, image.source.disk);
    const disk::NbdOptions options{.name = target_.name + ":" + image.source.disk, .needs = socket.needs};
    image.reader = disk::open_nbd(sources_.ctx, uri, options);
    image.source.reader = image.reader.get();
    if (image.source.whole_because.empty())
      image.source.dirty = disk::changed_ranges(sources_.ctx, uri, fields.at("changes_context"), options);
    disks_.push_back(std::move(image));
  }
}

// As they are at the moment of the disks.
void MachineBackup::take_parts(const json& facts) {
  parts_ = parts_of(facts);
  if (!sources_.repository.config().encrypted && std::erase_if(parts_, is_secret) > 0)
    sources_.ctx.warn(target_.name +
                      ": the secrets that its definition names are not in the restore point: this repository is not "
                      "encrypted");
}

void MachineBackup::open_stopped(const json& facts) {
  take_parts(facts);
  // With its memory on the disk of the hypervisor, the disks are as they were in the middle of work.
  consistency_ = facts.at("state") == "saved" ? "crash" : "off";
  for (const auto& fields : facts.at("disks")) {
    const std::string target = fields.at("target"), type = fields.at("type");
    const auto& without = sources_.options.without;
    if (std::find(without.begin(), without.end(), target) != without.end()) continue;
    if (type != "file" && type != "block")
      throw Error(Code::unsupported, "'" + target_.name + "' is off, and disk " + target + " is of type " + type +
                                         ": such disks are backed up while the machine runs");
    disks_.push_back(open_stopped_disk(target, fields.at("source"), fields.at("format")));
    if (!disks_.back().source.bitmap.empty()) {
      machine_.checkpoint = known_->machine->checkpoint;
      machine_.checkpoint_xml = known_->machine->checkpoint_xml;
    }
  }
  if (disks_.empty()) throw Error(Code::refused, "'" + target_.name + "' has no disk to back up");
}

// What the earlier point's checkpoint has recorded, the image keeps; it goes on recording for the next one.
OpenedImage MachineBackup::open_stopped_disk(const std::string& disk, const std::string& path,
                                             const std::string& format) {
  const auto known = disk::image_format_named(format);
  if (!known) throw Error(Code::unsupported, "disk " + disk + " of '" + target_.name + "' is in the format " + format);
  const auto* recorded = known_ == nullptr ? nullptr : disk_in(*known_, disk);
  std::string whole_because;
  if (recorded != nullptr && !recorded->bitmap.empty() && *known == disk::ImageFormat::qcow2) {
    whole_because = unusable(sources_.disks->facts(sources_.ctx, path, *known), path, *recorded);
    if (whole_because.empty()) {
      OpenedImage image = sources_.disks->open_recorded(sources_.ctx, path, recorded->bitmap);
      image.source.disk = disk;
      image.source.bitmap = recorded->bitmap;
      return image;
    }
  }
  OpenedImage image = sources_.disks->open(sources_.ctx, path, *known);
  image.source.disk = disk;
  image.source.whole_because = whole_because;
  const bool same_machine = latest_ != nullptr && latest_->machine && latest_->machine->uuid == machine_.uuid;
  const auto* latest = same_machine ? disk_in(*latest_, disk) : nullptr;
  if (latest != nullptr && is_untouched(image, *latest)) {
    image.source.dirty.emplace();
    from_latest_ = true;
  }
  return image;
}

void MachineBackup::describe(backup::CreateRequest& request) const {
  request.consistency = consistency_;
  request.machine = machine_;
  for (const auto& disk : disks_) request.disks.push_back(disk.source);
  request.parts = parts_;
  if (!running_) request.before_commit = [this] { check_still_off(); };
  if (latest_ == nullptr) return;
  request.sequence = latest_->sequence + 1;
  const bool recorded = std::any_of(request.disks.begin(), request.disks.end(),
                                    [](const backup::DiskSource& disk) { return disk.dirty.has_value(); });
  // What bitmaps record is relative to the point at which they began; what times tell, to the latest.
  request.parent = recorded && !from_latest_ && known_ != nullptr ? *known_ : *latest_;
  if (!from_latest_ || known_ == nullptr || known_ == latest_) return;
  // Not both: then those with bitmaps are read whole.
  for (auto& disk : request.disks)
    if (!disk.bitmap.empty()) disk.dirty.reset();
}

// What locks there are keep it off; a device has none.
void MachineBackup::check_still_off() const {
  const json facts = patient([&] {
    return sources_.workers.call(target_.uri, "backup_look",
                                 {{"domain", target_.domain}, {"session_directory", sources_.session_directory}},
                                 kBeginPatience);
  });
  if (facts.at("active").get<bool>())
    throw Error(Code::busy, "'" + target_.name + "' was started while its disks were read");
  for (const auto& disk : disks_) sources_.disks->check_unwritten(sources_.ctx, disk);
}

void MachineBackup::finish() {
  finished_ = true;
  disks_.clear();
  try {
    patient([&] { return end(machine_.checkpoint); });
  } catch (const Error& e) {
    // The restore point holds, whatever becomes of this.
    sources_.ctx.warn(target_.name + ": the backup job is left behind, and the next backup ends it: " + e.what());
  }
}

void MachineBackup::explain_failure(const Error& failure) {
  disks_.clear();
  if (!running_) return;
  std::string why;
  try {
    why = patient([&] { return end(kept_checkpoint()); });
  } catch (const Error&) {
    return;  // tried again
  }
  finished_ = true;
  if (!why.empty())
    throw Error(Code::no_space, fmt::format("the backup of '{}' was given up so that its guest goes on: {}; --scratch "
                                            "DIR says where there is more ({})",
                                            target_.name, why, failure.what()));
}

std::string MachineBackup::kept_checkpoint() const { return known_ != nullptr ? known_->machine->checkpoint : ""; }

// Why the job had ended before; empty: it had not.
std::string MachineBackup::end(const std::string& keep) {
  if (!running_) return "";
  const json ended = sources_.workers.call(
      target_.uri, "backup_end",
      {{"uuid", machine_.uuid}, {"label", label_}, {"keep", keep}, {"runtime_directory", sources_.runtime_directory}},
      kEndPatience);
  running_ = false;
  return ended.at("ended_because");
}

}  // namespace muster::cli
