#include "vm/migrate.h"

#include <atomic>
#include <thread>

#include <fmt/format.h>

#include "base/error.h"
#include "base/quantity.h"
#include "virt/domain_xml.h"
#include "virt/guest_agent.h"
#include "virt/lifecycle.h"
#include "vm/polling.h"

namespace muster::vm {
namespace {

using base::Clock;
using base::Code;
using base::Error;
using virt::Domain;

constexpr std::chrono::milliseconds kWatchInterval{500};
constexpr std::chrono::seconds kProofPatience{30};
constexpr std::chrono::seconds kAgentPatience{3};

bool is_image(const virt::DiskElement& disk) {
  return (disk.device == "disk" || disk.device == "lun") && !disk.source.empty();
}

void check_disks(const virt::DomainXml& xml, const virt::Connection& target, const MigrateOptions& options,
                 MoveCheck& check) {
  for (const auto& disk : xml.disks()) {
    if (!is_image(disk)) {
      if (!disk.source.empty())
        check.warnings.push_back(fmt::format("{} has {} inserted, which must be on the other side too, or be ejected",
                                             disk.target, disk.source));
      continue;
    }
    if (options.transfer.storage == virt::Storage::copied && disk.type == "file" &&
        !virt::has_pool_for(target, disk.source))
      check.refusals.push_back(
          fmt::format("no storage pool of the target has the directory of {} ({}): define one, so "
                      "that its image can be made there",
                      disk.target, disk.source));
  }
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

// Arrived and ended there: what is on the disks is all there is, and it starts here again.
void go_back(const base::Context& ctx, const Domain& domain, const Domain& moved) {
  if (moved.active()) return;
  ctx.note("'" + domain.name() + "' ended on the other side: it is started here again");
  virt::undefine(moved);
  virt::start(domain);
}

Domain move_live(const base::Context& ctx, const Domain& domain, const virt::Connection& target,
                 const MigrateOptions& options, const Watch& watch) {
  const virt::State before = domain.state();
  const bool had_agent = virt::agent_connected(domain);
  const Domain moved = transfer(ctx, domain, target, options, watch);
  try {
    // What is proved now must not be cut short by a stop: the machine is over there.
    prove({.stop = {}, .events = ctx.events}, moved, before, had_agent);
  } catch (const Error&) {
    go_back(ctx, domain, moved);
    throw;
  }
  return moved;
}

Domain move_definition(const Domain& domain, const virt::Connection& target) {
  return target.define(domain.xml(Domain::Xml::portable));
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
  if (options.transfer.storage == virt::Storage::copied && !virt::lineage(domain).snapshots.empty())
    check.refusals.emplace_back("it has snapshots, whose data would not be copied: delete them first");
  if (!xml.nvram().empty())
    check.warnings.push_back("its UEFI variables (" + xml.nvram() + ") go along only while it runs");
  return check;
}

bool finish_interrupted_move(const base::Context& ctx, const Domain& domain) {
  const auto kept = virt::kept_in_metadata(domain);
  if (!kept) return false;
  virt::remember(domain, *kept);
  virt::drop_from_metadata(domain);
  ctx.note("'" + domain.name() + "' was on the move when that was interrupted: its snapshots are known again");
  return true;
}

Domain migrate(const base::Context& ctx, const Domain& domain, const virt::Connection& target,
               const MigrateOptions& options, const Watch& watch) {
  finish_interrupted_move(ctx, domain);
  const MoveCheck check = check_move(domain, target, options);
  for (const auto& warning : check.warnings) ctx.note("'" + domain.name() + "': " + warning);
  if (!check.refusals.empty())
    throw Error(Code::refused, fmt::format("'{}' stays: {}", domain.name(), fmt::join(check.refusals, "; ")));
  const virt::Lineage lineage = virt::lineage(domain);
  if (!lineage.empty()) virt::keep_in_metadata(domain, lineage);
  std::optional<Domain> moved;
  try {
    virt::forget_snapshots(domain);
    moved = options.manner == Manner::live ? move_live(ctx, domain, target, options, watch)
                                           : move_definition(domain, target);
  } catch (const Error&) {
    if (!lineage.empty()) finish_interrupted_move({.stop = {}, .events = &base::null_events()}, domain);
    throw;
  }
  if (!lineage.empty()) finish_interrupted_move({.stop = {}, .events = &base::null_events()}, *moved);
  moved->set_autostart(domain.autostart());
  // Where the images are shared, its firmware's files may be, too.
  virt::undefine(domain, virt::FirmwareState::kept);
  return *moved;
}

}  // namespace muster::vm
