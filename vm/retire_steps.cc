#include "vm/retire_steps.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/quantity.h"
#include "virt/domain_xml.h"
#include "virt/firmware_files.h"
#include "virt/guest_agent.h"
#include "virt/lifecycle.h"
#include "virt/statistics.h"
#include "vm/firmware.h"
#include "vm/guest_command.h"
#include "vm/own_seed.h"
#include "vm/stop.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;
using Fate = PlannedStep::Fate;

constexpr std::chrono::seconds kLoginPatience{10};
constexpr std::chrono::seconds kServicePatience{60};

std::string named(const RetireWork& work) { return "'" + work.journal.name + "'"; }
bool purges(const RetireWork& work) { return work.options.aim == Aim::purge; }
bool left_out(const RetireWork& work, Step step) { return work.options.left_out.contains(step); }

// What a step inside the guest may meet.
std::optional<PlannedStep> no_guest(RetireWork& work, Step step) {
  if (left_out(work, step)) return PlannedStep{step, Fate::left_out, "as you said"};
  if (!work.domain.active()) return PlannedStep{step, Fate::not_needed, "it is off"};
  if (work.domain.state() == virt::State::paused) return PlannedStep{step, Fate::left_out, "it is paused"};
  if (!virt::agent_connected(work.domain)) return PlannedStep{step, Fate::left_out, "no guest agent answers"};
  return std::nullopt;
}

PlannedStep plan_logins(RetireWork& work) {
  if (auto reason = no_guest(work, Step::disable_logins)) return *reason;
  return {Step::disable_logins, Fate::due, "write /run/nologin in the guest, which is gone when it is off"};
}

bool disable_logins(RetireWork& work) {
  try {
    const auto done =
        run_in_guest(work.ctx, work.domain, {"/bin/sh", "-c", "echo 'this machine is being retired' > /run/nologin"},
                     kLoginPatience);
    if (done.status == 0) return true;
    work.ctx.warn(work.journal.name + ": logins are not disabled: " + done.output);
  } catch (const Error& e) {
    if (e.code() != Code::unsupported && e.code() != Code::timeout) throw;
    work.ctx.warn(work.journal.name + ": logins are not disabled: " + e.what());
  }
  return false;
}

PlannedStep plan_services(RetireWork& work) {
  if (work.options.services.empty()) return {Step::stop_services, Fate::not_needed, "none was named"};
  if (auto reason = no_guest(work, Step::stop_services)) return *reason;
  return {Step::stop_services, Fate::due, fmt::format("stop {} in the guest", fmt::join(work.options.services, ", "))};
}

bool stop_services(RetireWork& work) {
  static constexpr const char* kStop =
      "if command -v systemctl >/dev/null; then exec systemctl stop \"$1\"; "
      "elif command -v service >/dev/null; then exec service \"$1\" stop; else exec \"/etc/init.d/$1\" stop; fi";
  for (const auto& service : work.options.services) {
    const auto done = run_in_guest(work.ctx, work.domain, {"/bin/sh", "-c", kStop, "sh", service}, kServicePatience);
    if (done.status != 0)
      throw Error(Code::io, fmt::format("service '{}' in {} does not stop ({}): {}; --skip stop-services goes on "
                                        "without",
                                        service, named(work), done.status, done.output));
  }
  return true;
}

PlannedStep plan_shut_down(RetireWork& work) {
  if (!work.domain.active()) return {Step::shut_down, Fate::not_needed, "it is off"};
  check_unused_in_trash(work.domain, work.journal);
  if (left_out(work, Step::shut_down))
    throw Error(Code::refused, named(work) + " is " + virt::name_of(work.domain.state()) +
                                   ", and shut-down is left out: stop it first, or do not skip that");
  return {Step::shut_down, Fate::due,
          work.options.grace.count() == 0
              ? "switch it off at once"
              : "ask the guest to shut down; switch it off after " + base::format_duration(work.options.grace)};
}

void prepare_shut_down(RetireWork& work) { work.journal.record(Step::shut_down).undo = "running"; }

bool shut_down(RetireWork& work) {
  stop(work.ctx, work.domain, {.grace = work.options.grace});
  return true;
}

PlannedStep plan_backup(RetireWork& work) {
  if (left_out(work, Step::final_backup)) return {Step::final_backup, Fate::left_out, "as you said"};
  if (!work.options.final_backup) return {Step::final_backup, Fate::left_out, "no repository is named"};
  // In the trash nothing has run since. One whose deletion broke off may have: it is backed up again.
  const auto* record = work.journal.find(Step::final_backup);
  const bool taken = record != nullptr && record->state == StepRecord::State::done;
  if (in_trash(work.domain) && taken) return {Step::final_backup, Fate::not_needed, "it was taken"};
  if (in_trash(work.domain))
    throw Error(Code::refused, named(work) +
                                   " went into the trash without a backup, and none is made there: vm "
                                   "undelete it first, or say --skip final-backup");
  return {Step::final_backup, Fate::due, "make a restore point of its disks and definition"};
}

bool back_up(RetireWork& work) {
  try {
    work.options.final_backup(work.ctx);
  } catch (const Error& e) {
    throw Error(e.code(), "the final backup of " + named(work) + ": " + e.what() +
                              "; nothing of it is gone, and --skip final-backup goes on without");
  }
  return true;
}

PlannedStep plan_saved_memory(RetireWork& work) {
  if (!virt::has_saved_image(work.domain)) return {Step::saved_memory, Fate::not_needed, "there is none"};
  if (!work.options.discard_saved_memory) check_unused_in_trash(work.domain, work.journal);
  if (!purges(work) && !work.options.discard_saved_memory)
    throw Error(Code::refused, named(work) +
                                   " is saved, and its memory cannot go into the trash: start it, so that it is shut "
                                   "down, or say --discard-saved, which is as if its plug had been pulled");
  return {Step::saved_memory, Fate::due, "throw the saved memory away"};
}

bool drop_saved_memory(RetireWork& work) {
  virt::drop_saved_image(work.domain);
  return true;
}

PlannedStep plan_autostart(RetireWork& work) {
  if (!work.domain.autostart()) return {Step::autostart, Fate::not_needed, "it is off"};
  return {Step::autostart, Fate::due, "switch autostart off"};
}

void prepare_autostart(RetireWork& work) { work.journal.record(Step::autostart).undo = "on"; }

bool switch_autostart_off(RetireWork& work) {
  work.domain.set_autostart(false);
  return true;
}

std::vector<virt::Moment>& journaled(Retirement& journal, virt::MomentKind kind) {
  return kind == virt::MomentKind::snapshot ? journal.snapshots : journal.checkpoints;
}

PlannedStep plan_moments(RetireWork& work, Step step, virt::MomentKind kind) {
  const auto all = virt::moments(work.domain, kind);
  if (all.empty()) return {step, Fate::not_needed, "there are none"};
  if (purges(work)) return {step, Fate::not_needed, fmt::format("{} go with its definition", all.size())};
  return {step, Fate::due,
          fmt::format("write down and take out {} of libvirt's entries; images keep them", all.size())};
}

void prepare_moments(RetireWork& work, virt::MomentKind kind) {
  auto& known = journaled(work.journal, kind);
  for (auto& moment : virt::moments(work.domain, kind))
    if (std::none_of(known.begin(), known.end(), [&](const auto& old) { return old.name == moment.name; }))
      known.push_back(std::move(moment));
}

bool forget_moments(RetireWork& work, virt::MomentKind kind) {
  auto all = virt::moments(work.domain, kind);
  std::reverse(all.begin(), all.end());  // children first
  for (const auto& moment : all) virt::forget(work.domain, kind, moment.name);
  return true;
}

PlannedStep plan_snapshots(RetireWork& work) { return plan_moments(work, Step::snapshots, virt::MomentKind::snapshot); }
void prepare_snapshots(RetireWork& work) { prepare_moments(work, virt::MomentKind::snapshot); }
bool forget_snapshots(RetireWork& work) { return forget_moments(work, virt::MomentKind::snapshot); }

PlannedStep plan_checkpoints(RetireWork& work) {
  return plan_moments(work, Step::checkpoints, virt::MomentKind::checkpoint);
}
void prepare_checkpoints(RetireWork& work) { prepare_moments(work, virt::MomentKind::checkpoint); }
bool forget_checkpoints(RetireWork& work) { return forget_moments(work, virt::MomentKind::checkpoint); }

PlannedStep plan_firmware(RetireWork& work) {
  if (purges(work)) return {Step::firmware, Fate::not_needed, "its variables go with its definition"};
  const std::string path = named_variables(work.connection, work.domain, work.journal.name);
  const bool broke_off =
      !work.journal.record(Step::firmware).undo.empty() && !lies_in_trash(work.domain.name(), work.journal);
  if (path.empty() && !broke_off) return {Step::firmware, Fate::not_needed, "no variables under its name"};
  return {Step::firmware, Fate::due, "name the file of its UEFI variables as it is named in the trash"};
}

void prepare_firmware(RetireWork& work) {
  auto& undo = work.journal.record(Step::firmware).undo;
  if (undo.empty()) undo = named_variables(work.connection, work.domain, work.journal.name);
}

bool move_firmware(RetireWork& work) {
  move_variables(work.connection, work.domain, work.journal.record(Step::firmware).undo,
                 tombstone_name(work.journal, work.domain.uuid()) + "_VARS.fd");
  return true;
}

std::string told(const ImageClaim& image) { return image.path + " (" + image.kept_because + ")"; }

// Refuses what is not the machine's alone.
void check_images(RetireWork& work) {
  for (const auto& image : work.images().images)
    if (image.kept_because.empty() && !image.users.empty())
      throw Error(Code::refused,
                  fmt::format("{} of {} is used by {}: nothing is removed; without --purge it goes into the trash as "
                              "it is, with --keep-disks all of its images stay",
                              image.path, named(work), fmt::join(image.users, ", ")));
  if (const auto& unseen = work.images().unseen; !unseen.empty())
    throw Error(Code::refused, fmt::format("it cannot be told whether somebody else uses the images of {}: {}; "
                                           "--keep-disks leaves them",
                                           named(work), fmt::join(unseen, "; ")));
}

// Images to be removed, those under others last; also those of an earlier call, whose chains can be seen no more.
std::vector<std::string> images_to_remove(RetireWork& work) {
  std::vector<std::string> paths;
  for (const auto& image : work.images().images)
    if (image.kept_because.empty()) paths.push_back(image.path);
  for (const auto& path : work.journal.removed)
    if (std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(path);
  return paths;
}

PlannedStep plan_disks(RetireWork& work) {
  if (!purges(work)) return {Step::disks, Fate::not_needed, "they stay where they are"};
  if (left_out(work, Step::disks)) return {Step::disks, Fate::left_out, "they stay, as you said"};
  check_images(work);
  const auto paths = images_to_remove(work);
  if (paths.empty()) return {Step::disks, Fate::not_needed, "it has none of its own"};
  std::string kept;
  for (const auto& image : work.images().images)
    if (!image.kept_because.empty()) kept += (kept.empty() ? "; keep " : ", ") + told(image);
  return {Step::disks, Fate::due, fmt::format("remove {}{}", fmt::join(paths, ", "), kept)};
}

void check_off(const RetireWork& work) {
  if (work.domain.active())
    throw Error(Code::busy, named(work) + " was started meanwhile: its images stay, as far as they are there");
}

void prepare_disks(RetireWork& work) {
  check_off(work);
  work.known_images.reset();  // others may have come while it shut down
  check_images(work);
  work.journal.removed = images_to_remove(work);
}

bool remove_disks(RetireWork& work) {
  for (const auto& path : work.journal.removed) {
    work.ctx.check_stop();
    check_off(work);
    check_still_written(work.domain, work.journal);
    virt::remove_image(work.connection, path);
    work.outcome.removed.push_back(path);
  }
  return true;
}

PlannedStep plan_unregister(RetireWork& work) {
  if (purges(work)) return {Step::unregister, Fate::due, "remove its definition, NVRAM and TPM state"};
  if (lies_in_trash(work.domain.name(), work.journal))
    return {Step::unregister, Fate::not_needed, "it is in the trash"};
  if (!virt::can_rename(work.domain))
    throw Error(Code::unsupported, "the driver of " + work.connection.uri() +
                                       " cannot rename, so that it has no trash: --purge is for good");
  return {Step::unregister, Fate::due,
          fmt::format("name it {}, until {}", tombstone_name(work.journal, work.domain.uuid()),
                      time_text(work.journal.expires))};
}

virt::FirmwareState firmware_of(RetireWork& work) {
  const std::string path =
      virt::variables_file(work.connection, virt::DomainXml(work.domain.xml(virt::Domain::Xml::definition)));
  if (path.empty() || !others_use(work.connection, work.domain, path)) return virt::FirmwareState::removed;
  work.outcome.kept.push_back(path + " (another domain uses it)");
  return virt::FirmwareState::nvram_kept;
}

void note_kept(RetireWork& work) {
  for (const auto& disk : virt::DomainXml(work.domain.xml(virt::Domain::Xml::definition)).disks())
    if (left_out(work, Step::disks) && disk.device == "disk" && !disk.source.empty())
      work.outcome.kept.push_back(disk.source + " (as you said)");
  if (left_out(work, Step::disks)) return;
  for (const auto& image : work.images().images)
    if (!image.kept_because.empty())
      (image.remains ? work.outcome.remaining : work.outcome.kept).push_back(told(image));
}

bool unregister(RetireWork& work) {
  if (!purges(work)) {
    work.outcome.trash_name = tombstone_name(work.journal, work.domain.uuid());
    virt::rename(work.domain, work.outcome.trash_name);
    return true;
  }
  note_kept(work);
  virt::undefine(work.domain, firmware_of(work));
  return true;
}

constexpr std::array kSteps{
    RetireStep{Step::disable_logins, plan_logins, nullptr, disable_logins},
    RetireStep{Step::stop_services, plan_services, nullptr, stop_services},
    RetireStep{Step::shut_down, plan_shut_down, prepare_shut_down, shut_down},
    RetireStep{Step::final_backup, plan_backup, nullptr, back_up},
    RetireStep{Step::saved_memory, plan_saved_memory, nullptr, drop_saved_memory},
    RetireStep{Step::autostart, plan_autostart, prepare_autostart, switch_autostart_off},
    RetireStep{Step::snapshots, plan_snapshots, prepare_snapshots, forget_snapshots},
    RetireStep{Step::checkpoints, plan_checkpoints, prepare_checkpoints, forget_checkpoints},
    RetireStep{Step::firmware, plan_firmware, prepare_firmware, move_firmware},
    RetireStep{Step::disks, plan_disks, prepare_disks, remove_disks},
    RetireStep{Step::unregister, plan_unregister, nullptr, unregister},
};

}  // namespace

const Ownership& RetireWork::images() {
  if (known_images) return *known_images;
  auto snapshots = virt::moments(domain, virt::MomentKind::snapshot);
  snapshots.insert(snapshots.end(), journal.snapshots.begin(), journal.snapshots.end());
  std::set<std::string> noted(journal.removed.begin(), journal.removed.end());
  for (auto& seed : own_seeds(connection, domain)) noted.insert(std::move(seed));
  known_images = ownership(ctx, connection, {.domain = domain, .snapshots = snapshots, .noted = std::move(noted)});
  return *known_images;
}

std::span<const RetireStep> retire_steps() { return kSteps; }

}  // namespace muster::vm
