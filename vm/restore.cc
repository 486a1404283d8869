// The way back from the trash (retire.h).
#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "virt/image_files.h"
#include "virt/lifecycle.h"
#include "vm/firmware.h"
#include "vm/guest_command.h"
#include "vm/retire.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;
using Fate = PlannedStep::Fate;

constexpr std::chrono::seconds kNologinPatience{10};

struct Restoration {
  const base::Context* ctx;
  const virt::Connection& connection;
  virt::Domain domain;
  Retirement journal;

  bool in_trash() const { return lies_in_trash(domain.name(), journal); }
};

// Refuses where an image that was to be removed is gone.
void check_images(const Restoration& work) {
  if (work.journal.removed.empty()) return;
  std::set<std::string> directories;
  for (const auto& path : work.journal.removed) directories.insert(virt::directory_of(path));
  const auto listing = virt::list_images(work.connection, directories);
  for (const auto& path : work.journal.removed)
    if (!listing.images.contains(path))
      throw Error(Code::refused, "'" + work.journal.name + "' cannot come back: its image " + path +
                                     " is removed; vm delete --purge ends what was begun");
}

Restoration restoration_of(const base::Context* ctx, const virt::Connection& connection, const virt::Domain& domain) {
  auto journal = retirement_of(domain);
  if (!journal) throw Error(Code::refused, "'" + domain.name() + "' is not in the trash");
  Restoration work{ctx, connection, domain, std::move(*journal)};
  check_unused_in_trash(work.domain, work.journal);
  if (work.in_trash() && connection.find_domain(work.journal.name))
    throw Error(Code::refused, "another machine has the name '" + work.journal.name +
                                   "' now: rename or delete that one first; this one stays in the trash as " +
                                   domain.name());
  check_images(work);
  return work;
}

PlannedStep plan_name(const Restoration& work) {
  if (!work.in_trash()) return {Step::unregister, Fate::not_needed, "it has its name"};
  return {Step::unregister, Fate::due, "name it " + work.journal.name};
}

PlannedStep plan_moments(Step step, const std::vector<virt::Moment>& moments) {
  if (moments.empty()) return {step, Fate::not_needed, "there were none"};
  std::string names;
  for (const auto& moment : moments) names += (names.empty() ? "" : ", ") + moment.name;
  return {step, Fate::due, "register again " + names};
}

// Where its variables were before they were named as in the trash; empty: they were not.
std::string firmware_path(const Restoration& work) {
  const auto* record = work.journal.find(Step::firmware);
  return record == nullptr ? "" : record->undo;
}

PlannedStep plan_firmware(const Restoration& work) {
  const std::string path = firmware_path(work);
  if (path.empty()) return {Step::firmware, Fate::not_needed, "its variables are where they were"};
  return {Step::firmware, Fate::due, "UEFI variables as " + path};
}

// Not into a file that others use by now: its own may have any name.
void restore_firmware(const Restoration& work) {
  const std::string path = firmware_path(work), directory = virt::directory_of(path);
  const std::string from = directory + '/' + tombstone_name(work.journal, work.domain.uuid()) + "_VARS.fd";
  if (others_use(work.connection, work.domain, path))
    return work.ctx->warn(work.journal.name + ": another domain uses " + path + ": its UEFI variables stay in " + from);
  move_variables(work.connection, work.domain, from, virt::file_name_of(path));
}

PlannedStep plan_autostart(const Restoration& work) {
  const auto* record = work.journal.find(Step::autostart);
  if (record == nullptr || record->undo != "on") return {Step::autostart, Fate::not_needed, "it was off"};
  return {Step::autostart, Fate::due, "switch autostart on"};
}

PlannedStep plan_logins(const Restoration& work) {
  const auto* record = work.journal.find(Step::disable_logins);
  const bool disabled = record != nullptr && record->state == StepRecord::State::done;
  if (!disabled || !work.domain.active()) return {Step::disable_logins, Fate::not_needed, "nothing forbids them"};
  return {Step::disable_logins, Fate::due, "remove /run/nologin in the guest"};
}

std::vector<PlannedStep> plan_of(const Restoration& work) {
  return {plan_name(work),
          plan_moments(Step::snapshots, work.journal.snapshots),
          plan_moments(Step::checkpoints, work.journal.checkpoints),
          plan_firmware(work),
          plan_autostart(work),
          plan_logins(work)};
}

void register_again(const Restoration& work, virt::MomentKind kind, const std::vector<virt::Moment>& moments) {
  const auto there = virt::moments(work.domain, kind);
  for (const auto& moment : moments)
    if (std::none_of(there.begin(), there.end(), [&](const auto& other) { return other.name == moment.name; }))
      virt::register_again(work.domain, kind, moment);
}

// Without them the next backup is a full one, which must not keep the machine from coming back. Not every driver
// registers any for a domain that is off.
void register_checkpoints(const Restoration& work) {
  try {
    register_again(work, virt::MomentKind::checkpoint, work.journal.checkpoints);
  } catch (const Error& e) {
    work.ctx->warn(work.journal.name + ": its checkpoints are lost, the next backup is a full one: " + e.what());
  }
}

void allow_logins(const Restoration& work) {
  try {
    run_in_guest(*work.ctx, work.domain, {"/bin/sh", "-c", "rm -f /run/nologin"}, kNologinPatience);
  } catch (const Error& e) {
    work.ctx->warn(work.journal.name + ": /run/nologin may still be in the guest: " + e.what());
  }
}

void take(Restoration& work, Step step) {
  if (step == Step::unregister) {
    virt::rename(work.domain, work.journal.name);
    work.domain = work.connection.domain(work.journal.name);
  }
  if (step == Step::snapshots) register_again(work, virt::MomentKind::snapshot, work.journal.snapshots);
  if (step == Step::checkpoints) register_checkpoints(work);
  if (step == Step::firmware) restore_firmware(work);
  if (step == Step::autostart) work.domain.set_autostart(true);
  if (step == Step::disable_logins) allow_logins(work);
}

virt::Domain only_one(const std::vector<Tombstone>& found, const std::string& name) {
  if (found.size() == 1) return found.front().domain;
  std::vector<std::string> names;
  for (const auto& tombstone : found) names.push_back(tombstone.domain.name());
  throw Error(Code::usage,
              fmt::format("several in the trash had the name '{}': write {}", name, fmt::join(names, " or ")));
}

RestoreOutcome outcome_of(const Restoration& work) {
  const auto* record = work.journal.find(Step::shut_down);
  return {.name = work.domain.name(),
          .snapshots = work.journal.snapshots.size(),
          .checkpoints = work.journal.checkpoints.size(),
          .was_running = record != nullptr && record->undo == "running"};
}

}  // namespace

std::vector<PlannedStep> plan_restoration(const virt::Connection& connection, const virt::Domain& domain) {
  return plan_of(restoration_of(nullptr, connection, domain));
}

RestoreOutcome restore(const base::Context& ctx, const virt::Connection& connection, const virt::Domain& domain,
                       const StepObserver& observer) {
  auto work = restoration_of(&ctx, connection, domain);
  work.journal.aim = Aim::undelete;
  write_retirement(work.domain, work.journal);
  check_images(work);  // who lets it go at this moment sees from now on that it comes back
  if (!std::exchange(work.journal.removed, {}).empty()) write_retirement(work.domain, work.journal);
  for (const auto& planned : plan_of(work)) {
    if (planned.fate != Fate::due) continue;
    ctx.check_stop();
    if (observer) observer(planned, Progress::begins);
    take(work, planned.step);
    if (observer) observer(planned, Progress::taken);
  }
  drop_retirement(work.domain, work.journal);
  return outcome_of(work);
}

virt::Domain to_retire(const virt::Connection& connection, const std::string& name) {
  if (auto domain = connection.find_domain(name)) return *domain;
  const auto found = trashed(connection, name);
  if (found.empty()) throw Error(Code::not_found, "no domain '" + name + "' on " + connection.uri());
  return only_one(found, name);
}

virt::Domain to_restore(const virt::Connection& connection, const std::string& name) {
  const auto found = trashed(connection, name);
  if (!found.empty()) return only_one(found, name);
  const auto domain = connection.find_domain(name);
  if (domain && retirement_of(*domain)) return *domain;
  throw Error(Code::not_found,
              "'" + name + "' is not in the trash of " + connection.uri() + ": muster vm trash list shows what is");
}

}  // namespace muster::vm
