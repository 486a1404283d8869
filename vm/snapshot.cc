#include "vm/snapshot.h"

#include <algorithm>
#include <optional>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/error.h"
#include "base/quantity.h"
#include "virt/resources.h"
#include "vm/change_record.h"
#include "vm/quiesce.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;
using std::chrono::seconds;

constexpr std::string_view kOpen = "[muster:";
constexpr std::string_view kExpires = " expires=";
constexpr std::string_view kQuiesced = " quiesced";
constexpr seconds kThawPatience{60};
// The year 2242: a clock that counts nanoseconds in 64 bits ends 20 years later, and what lies behind would be past.
constexpr std::int64_t kMostSeconds = 8'600'000'000;

std::optional<SnapshotFacts> find(const virt::Domain& domain, const std::string& name) {
  for (auto& facts : snapshots_of(domain))
    if (facts.snapshot.name == name) return facts;
  return std::nullopt;
}

SnapshotFacts existing(const virt::Domain& domain, const std::string& name) {
  if (auto facts = find(domain, name)) return *facts;
  throw Error(Code::not_found, fmt::format("'{}' has no snapshot '{}'", domain.name(), name));
}

void check(const virt::Domain& domain, const SnapshotRequest& request) {
  if (request.name.empty() || request.name.find('/') != std::string::npos || request.name.front() == '.')
    throw Error(Code::usage, "snapshot '" + request.name + "': a name has no slash and no dot at its beginning");
  virt::Snapshot read_back;
  read_back.description = request.description;
  if (const auto told = read_description(read_back); told.expires || told.quiesced)
    throw Error(Code::usage, "the description ends like a note of muster's own, '" + std::string(kOpen) +
                                 " ...]', by which snapshots go: write it otherwise");
  if (find(domain, request.name))
    throw Error(Code::refused, fmt::format("'{}' has a snapshot '{}' already", domain.name(), request.name));
  const bool runs = domain.active();
  if (request.memory == Memory::left_out && runs)
    throw Error(Code::unsupported,
                fmt::format("'{}' runs: a snapshot of its disks alone would lie outside of its images, and libvirt "
                            "cannot go back to such a one. Leave out --disk-only, or stop the machine first",
                            domain.name()));
  // libvirt plugs them in after QEMU has started, which by then has missed their state and ended.
  if (runs && virt::has_plugged_cpus(domain))
    throw Error(Code::unsupported,
                fmt::format("'{}' has CPUs that were plugged in while it ran, and libvirt cannot go back to its memory "
                            "then: stop and start it first",
                            domain.name()));
  if (request.freeze_watchdog && !runs)
    throw Error(Code::refused, fmt::format("'{}' is off: there is no guest to freeze", domain.name()));
}

}  // namespace

std::string noted_description(const SnapshotFacts& facts) {
  if (!facts.expires && !facts.quiesced) return facts.description;
  std::string note(kOpen);
  if (facts.expires)
    note +=
        fmt::format("{}{}", kExpires, std::chrono::duration_cast<seconds>(facts.expires->time_since_epoch()).count());
  if (facts.quiesced) note += kQuiesced;
  return facts.description + (facts.description.empty() ? "" : "\n") + note + "]";
}

SnapshotFacts read_description(virt::Snapshot snapshot) {
  SnapshotFacts facts{.snapshot = std::move(snapshot), .description = {}, .expires = {}};
  const std::string& text = facts.snapshot.description;
  facts.description = text;
  const std::size_t line = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
  std::string_view note = std::string_view(text).substr(line);
  if (!note.starts_with(kOpen) || !note.ends_with(']')) return facts;
  note.remove_prefix(kOpen.size());
  note.remove_suffix(1);
  if (note.starts_with(kExpires)) {
    const std::string_view number = note.substr(kExpires.size(), note.find(' ', kExpires.size()) - kExpires.size());
    try {
      facts.expires = WallClock::time_point(seconds(base::parse_integer(number, 0, kMostSeconds, "expiry")));
    } catch (const Error&) {
      return facts;  // somebody else's line that looks like ours: it never expires
    }
  }
  facts.quiesced = note.ends_with(kQuiesced);
  facts.description = text.substr(0, line == 0 ? 0 : line - 1);
  return facts;
}

std::vector<SnapshotFacts> snapshots_of(const virt::Domain& domain) {
  std::vector<SnapshotFacts> all;
  for (auto& snapshot : virt::snapshots(domain)) all.push_back(read_description(std::move(snapshot)));
  return all;
}

SnapshotFacts create_snapshot(const virt::Domain& domain, const SnapshotRequest& request) {
  check(domain, request);
  SnapshotFacts wanted{.snapshot = {}, .description = request.description, .expires = {}};
  if (request.expires_after) wanted.expires = WallClock::now() + *request.expires_after;
  wanted.quiesced = request.freeze_watchdog.has_value();
  std::optional<FrozenGuest> frozen;
  if (request.freeze_watchdog) frozen.emplace(domain, request.freeze_patience, *request.freeze_watchdog);
  virt::create_snapshot(domain, request.name, noted_description(wanted));
  if (frozen) frozen->thaw();
  return existing(domain, request.name);
}

SnapshotFacts revert_to_snapshot(const base::Context& ctx, const virt::Domain& domain, const std::string& name) {
  SnapshotFacts facts = existing(domain, name);
  const bool ran = domain.active();
  drop_change_records(ctx, domain);
  try {
    virt::revert_to_snapshot(domain, name);
  } catch (const Error& e) {
    if (!ran || domain.active()) throw;
    throw Error(e.code(), std::string(e.what()) + "; it is off now, and may have its disks as they were then");
  }
  // Its memory remembers that it is frozen.
  if (facts.quiesced && domain.state() == virt::State::running) thaw_within(ctx, domain, kThawPatience);
  return facts;
}

std::vector<std::string> prune_snapshots(const base::Context& ctx, const virt::Domain& domain,
                                         WallClock::time_point now) {
  std::vector<std::string> deleted;
  std::optional<Error> first;
  for (const auto& facts : snapshots_of(domain)) {
    ctx.check_stop();
    if (!facts.expires || *facts.expires > now) continue;
    try {
      virt::delete_snapshot(domain, facts.snapshot.name);
      deleted.push_back(facts.snapshot.name);
    } catch (const Error& e) {
      if (!first) first = e;
    }
  }
  if (!first) return deleted;
  const std::string others = deleted.empty() ? "" : fmt::format("; deleted: {}", fmt::join(deleted, ", "));
  throw Error(first->code(), first->what() + others);
}

}  // namespace muster::vm
