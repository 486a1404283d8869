#include "vm/migrate.h"

#include <atomic>
#include <thread>

#include <fmt/format.h>

#include "base/error.h"
#include "base/quantity.h"
#include "virt/domain_xml.h"
#include "virt/guest_agent.h"
#include "virt/image_files.h"
#include "virt/lifecycle.h"
#include "virt/metadata.h"
#include "virt/moments.h"
#include "virt/storage.h"
#include "vm/copied_images.h"
#include "vm/polling.h"

namespace muster::vm {
namespace {

using base::Clock;
using base::Code;
using base::Error;
using virt::Domain;
using virt::MomentKind;

constexpr const char* kMoving = "moving";
constexpr std::chrono::milliseconds kWatchInterval{500};
constexpr std::chrono::seconds kProofPatience{30};
constexpr std::chrono::seconds kAgentPatience{3};

// What has to be where both hypervisors see it, though images are copied.
std::string warning_of(const virt::DiskElement& disk) {
  const char* why = disk.type != "file" ? "is no file" : disk.read_only ? "is read-only" : "is shared between machines";
  return fmt::format("{} ({}) {}, and is not copied: it must be on the other side too", disk.target, disk.source, why);
}

// As far as a pool over there tells.
bool is_missing(const virt::Connection& target, const virt::DiskElement& disk) {
  if (disk.type != "file") return false;
  const auto pool = virt::pool_of_directory(target, virt::directory_of(disk.source));
  return pool && !pool->find(virt::file_name_of(disk.source));
}

void check_medium(const virt::DiskElement& disk, const virt::Connection& target, MoveCheck& check) {
  if (is_missing(target, disk))
    check.refusals.push_back(fmt::format("{} has {} inserted, which the target has not: eject it, or put it there",
                                         disk.target, disk.source));
  else
    check.warnings.push_back(fmt::format("{} has {} inserted, which must be on the other side too, or be ejected",
                                         disk.target, disk.source));
}

void check_disks(const virt::DomainXml& xml, const virt::Connection& target, const MigrateOptions& options,
                 MoveCheck& check) {
  const bool copied = options.transfer.storage == virt::Storage::copied;
  for (const auto& disk : xml.disks()) {
    if (disk.source.empty()) continue;
    if (disk.device != "disk" && disk.device != "lun")
      check_medium(disk, target, check);
    else if (copied && (disk.device != "disk" || disk.type != "file" || disk.read_only || disk.shareable))
      check.warnings.push_back(warning_of(disk));
  }
}

void check_copies(const Domain& domain, const virt::Connection& target, MoveCheck& check) {
  for (auto& refusal : refusals_to_copy(domain, target)) check.refusals.push_back(std::move(refusal));
  if (!virt::moments(domain, MomentKind::snapshot).empty())
    check.refusals.emplace_back("it has snapshots, whose data would not be copied: delete them first");
  if (!virt::moments(domain, MomentKind::checkpoint).empty())
    check.refusals.emplace_back("it has checkpoints, whose bitmaps would not be copied: delete them first");
}

// Sees that the transfer ends: by its deadline, by a stop, and tells how far it is.
class Watcher {
 public:
  Watcher(const base::Context& ctx, const Domain& domain, std::chrono::milliseconds patience, const Watch& watch)
      : thread_([this, &ctx, &domain, patience, &watch](const std::stop_token& done) {
          const auto deadline = patience.count() == 0 ? base::TimePoint::max() : Clock::now() + patience;
          const base::Context pause{.stop = done, .events = ctx.events};
          while (!done.stop_requested()) {
            if (const auto progress = virt::migration_progress(domain); progress && watch) watch(*progress);
            late_ = late_ || Clock::now() >= deadline;
            if (late_ || ctx.stop.stop_requested()) virt::abort_migration(domain);
            try {
              wait_until(pause, Clock::now() + kWatchInterval, [] { return false; });
            } catch (const Error&) {
              return;  // done
            }
          }
        }) {}

  // The deadline was reached.
  bool late() const { return late_; }

 private:
  std::atomic<bool> late_ = false;
  std::jthread thread_;
};

Domain transfer(const base::Context& ctx, const Domain& domain, const virt::Connection& target,
                const MigrateOptions& options, const Watch& watch) {
  Watcher watcher(ctx, domain, options.patience, watch);
  try {
    return virt::migrate_live(domain, target, options.transfer);
  } catch (const Error& e) {
    if (watcher.late())
      throw Error(Code::timeout, fmt::format("'{}' was not moved within {}; it runs on where it was", domain.name(),
                                             base::format_duration(options.patience)));
    if (ctx.stop.stop_requested())
      throw Error(Code::cancelled, "interrupted; '" + domain.name() + "' stays where it is");
    throw;
  }
}

// A machine that arrived but does not run is worse than one that never left.
void prove(const base::Context& ctx, const Domain& moved, virt::State before, bool had_agent) {
  const auto runs = [&] { return moved.active() && moved.state() == before; };
  if (!wait_until(ctx, Clock::now() + kProofPatience, runs))
    throw Error(Code::io, fmt::format("'{}' arrived, but is {} ({}) there", moved.name(), virt::name_of(moved.state()),
                                      moved.reason()));
  if (!had_agent || before != virt::State::running) return;
  const auto answers = [&] { return virt::agent_connected(moved) && virt::agent_answers(moved, kAgentPatience); };
  if (!wait_until(ctx, Clock::now() + kProofPatience, answers))
    ctx.note("'" + moved.name() + "' runs on the other side, but its guest agent does not answer there");
}

// Arrived and ended there: what is on the disks is all there is, and it starts here again. Not with disks of its own
// over there: they have what it wrote last.
void go_back(const base::Context& ctx, const Domain& domain, const Domain& moved, virt::Storage storage) {
  if (moved.active()) return;
  if (storage == virt::Storage::copied)
    return ctx.warn("'" + domain.name() +
                    "' ended on the other side, where its newest data is: start it there; its "
                    "definition and images here are left as they are");
  ctx.note("'" + domain.name() + "' ended on the other side: it is started here again");
  // As in settle().
  virt::undefine(moved, virt::FirmwareState::kept);
  virt::start(domain);
}

Domain move_live(const base::Context& ctx, const Domain& domain, const virt::Connection& target,
                 const MigrateOptions& options, const Watch& watch) {
  const virt::State before = domain.state();
  const bool had_agent = virt::agent_connected(domain);
  Domain moved = transfer(ctx, domain, target, options, watch);
  try {
    // What is proved now must not be cut short by a stop: the machine is over there.
    prove({.stop = {}, .events = ctx.events}, moved, before, had_agent);
  } catch (const Error&) {
    go_back(ctx, domain, moved, options.transfer.storage);
    throw;
  }
  return moved;
}

// Snapshots and checkpoints, which do not move along: what is to be made known again, here or over there.
void note_moments(const Domain& domain) {
  virt::MetadataElement part{.name = kMoving, .attributes = {{"uuid", domain.uuid()}}};
  for (const auto kind : {MomentKind::snapshot, MomentKind::checkpoint})
    virt::put_moments(part, kind, virt::moments(domain, kind));
  if (!part.children.empty()) virt::put_metadata_part(domain, part);
}

// libvirt does not move a domain that has any. Children first.
void forget_snapshots(const Domain& domain) {
  auto snapshots = virt::moments(domain, MomentKind::snapshot);
  for (auto snapshot = snapshots.rbegin(); snapshot != snapshots.rend(); ++snapshot)
    virt::forget(domain, MomentKind::snapshot, snapshot->name);
}

Domain move_definition(const Domain& domain, const virt::Connection& target) {
  return target.define(domain.xml(Domain::Xml::portable));
}

// Whatever way it goes on, this is not cut short by a stop.
base::Context undisturbed(const base::Context& ctx) { return {.stop = {}, .events = ctx.events}; }

void put_back(const base::Context& ctx, const Domain& domain, const virt::Connection& target) {
  finish_interrupted_move({.stop = {}, .events = &base::null_events()}, domain);
  try {
    remove_copies(undisturbed(ctx), domain, target);
  } catch (const Error& e) {
    ctx.warn("'" + domain.name() + "': what was copied to the target may be left there: " + e.what());
  }
}

// The images there are to copy, by their disks.
std::vector<CopiedImage> copies_of(const Domain& domain, const MigrateOptions& options) {
  if (options.transfer.storage != virt::Storage::copied) return {};
  return images_to_copy(virt::DomainXml(domain.xml(Domain::Xml::current)));
}

// What of a copied machine stays here.
std::vector<std::string> files_left(const Domain& domain, const std::vector<CopiedImage>& copies) {
  std::vector<std::string> paths;
  for (const auto& image : copies) paths.push_back(image.path);
  const std::string variables = virt::DomainXml(domain.xml(Domain::Xml::current)).nvram();
  if (!paths.empty() && !variables.empty()) paths.push_back(variables);
  return paths;
}

void settle(const Domain& domain, const Domain& moved) {
  finish_interrupted_move({.stop = {}, .events = &base::null_events()}, moved);
  forget_copying(moved);
  moved.set_autostart(domain.autostart());
  // Where the images are shared, its firmware's files may be, too.
  virt::undefine(domain, virt::FirmwareState::kept);
}

}  // namespace

MoveCheck check_move(const Domain& domain, const virt::Connection& target, const MigrateOptions& options) {
  MoveCheck check;
  const virt::DomainXml xml(domain.xml(Domain::Xml::current));
  const bool active = domain.active();
  if (options.manner == Manner::live && !active)
    check.refusals.emplace_back("it is off: start it, or move it with --offline");
  if (options.manner == Manner::offline && active)
    check.refusals.emplace_back("it runs: stop it, or leave out --offline");
  if (!domain.persistent()) check.refusals.emplace_back("it is transient: there is no definition to move");
  if (target.find_domain(domain.name()) || target.find_domain(domain.uuid()))
    check.refusals.push_back("the target has a domain of its name or UUID already");
  if (options.manner == Manner::offline && options.transfer.storage == virt::Storage::copied)
    check.refusals.emplace_back("images are copied only of a machine that runs: leave out --offline or --copy-storage");
  for (const char* device : {"hostdev", "shmem"})
    if (options.manner == Manner::live && xml.has_device(device))
      check.refusals.push_back(
          fmt::format("it has a <{}>, which cannot move while it runs: move it with --offline", device));
  if (const auto refusal = active ? virt::cpu_refusal(domain, target) : std::nullopt)
    check.refusals.push_back(*refusal);
  check_disks(xml, target, options, check);
  if (options.transfer.storage == virt::Storage::copied) check_copies(domain, target, check);
  if (options.manner == Manner::offline && xml.firmware() == "efi")
    check.warnings.emplace_back(
        "its UEFI variables do not go along while it is off: they are fresh on the other side, "
        "unless their file is there too");
  return check;
}

bool finish_interrupted_move(const base::Context& ctx, const Domain& domain) {
  const auto part = virt::own_metadata_part(domain, kMoving);
  if (!part) return false;
  for (const auto kind : {MomentKind::snapshot, MomentKind::checkpoint})
    for (const auto& moment : virt::moments_in(*part, kind)) virt::register_again(domain, kind, moment);
  virt::drop_metadata_part(domain, kMoving);
  ctx.note("'" + domain.name() + "' was on the move when that was interrupted: its snapshots are known again");
  return true;
}

Moved migrate(const base::Context& ctx, const Domain& domain, const virt::Connection& target,
              const MigrateOptions& options, const Watch& watch) {
  if (virt::migration_progress(domain))
    throw Error(Code::busy, "'" + domain.name() + "' has a job of somebody else's under way, a move perhaps");
  finish_interrupted_move(ctx, domain);
  remove_copies(ctx, domain, target);
  const MoveCheck check = check_move(domain, target, options);
  for (const auto& warning : check.warnings) ctx.note("'" + domain.name() + "': " + warning);
  if (!check.refusals.empty())
    throw Error(Code::refused, fmt::format("'{}' stays: {}", domain.name(), fmt::join(check.refusals, "; ")));
  const auto copies = copies_of(domain, options);
  MigrateOptions chosen = options;
  for (const auto& image : copies) chosen.transfer.copied_disks.push_back(image.target);
  Moved moved{.domain = domain, .left_files = files_left(domain, copies)};
  note_moments(domain);
  try {
    make_copies(ctx, domain, target, copies);
    forget_snapshots(domain);
    moved.domain = options.manner == Manner::live ? move_live(ctx, domain, target, chosen, watch)
                                                  : move_definition(domain, target);
  } catch (const Error&) {
    put_back(ctx, domain, target);
    throw;
  }
  settle(domain, moved.domain);
  return moved;
}

}  // namespace muster::vm
