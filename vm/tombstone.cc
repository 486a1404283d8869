#include "vm/tombstone.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/text.h"
#include "virt/domain_xml.h"
#include "virt/metadata.h"
#include "virt/statistics.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;
using virt::MetadataElement;

constexpr const char* kPart = "retirement";
constexpr std::string_view kPrefix = "trash-";
// A domain's name is a file's name with something behind it.
constexpr std::size_t kMaxNameBytes = 180;
// Between the clocks of those who delete and those who empty the trash.
constexpr std::chrono::hours kClockSlack{24};

constexpr std::array<std::pair<Step, const char*>, 11> kSteps{{{Step::disable_logins, "disable-logins"},
                                                               {Step::stop_services, "stop-services"},
                                                               {Step::shut_down, "shut-down"},
                                                               {Step::final_backup, "final-backup"},
                                                               {Step::saved_memory, "saved-memory"},
                                                               {Step::autostart, "autostart"},
                                                               {Step::snapshots, "snapshots"},
                                                               {Step::checkpoints, "checkpoints"},
                                                               {Step::firmware, "firmware"},
                                                               {Step::disks, "disks"},
                                                               {Step::unregister, "unregister"}}};
constexpr std::array kOptional{Step::disable_logins, Step::stop_services, Step::final_backup, Step::shut_down,
                               Step::disks};
constexpr std::array<std::pair<Aim, const char*>, 3> kAims{
    {{Aim::trash, "trash"}, {Aim::purge, "purge"}, {Aim::undelete, "undelete"}}};
constexpr std::array<std::pair<StepRecord::State, const char*>, 3> kStates{{{StepRecord::State::planned, "planned"},
                                                                            {StepRecord::State::done, "done"},
                                                                            {StepRecord::State::left_out, "left-out"}}};

template <typename Value, std::size_t N>
const char* word(const std::array<std::pair<Value, const char*>, N>& table, Value value) {
  for (const auto& [known, name] : table)
    if (known == value) return name;
  return "?";
}

template <typename Value, std::size_t N>
Value value(const std::array<std::pair<Value, const char*>, N>& table, const std::string& name) {
  for (const auto& [known, text] : table)
    if (name == text) return known;
  throw Error(Code::corrupt, "'" + name + "' in the journal of a retirement: a newer version's, or damaged");
}

MetadataElement element_of(const StepRecord& record) {
  MetadataElement element{.name = "step",
                          .attributes = {{"name", name_of(record.step)}, {"state", word(kStates, record.state)}}};
  if (!record.undo.empty()) element.attributes["undo"] = record.undo;
  return element;
}

StepRecord step_of(const MetadataElement& element) {
  return {.step = value(kSteps, element.attribute("name")),
          .state = value(kStates, element.attribute("state")),
          .undo = element.attribute("undo")};
}

void take(Retirement& retirement, const MetadataElement& child) {
  if (child.name == "step") retirement.steps.push_back(step_of(child));
  if (child.name == "removed") retirement.removed.push_back(child.text);
}

// Not what came with another machine's definition.
std::optional<MetadataElement> own(const virt::Domain& domain, std::optional<MetadataElement> part) {
  return part && part->attribute("uuid") == domain.uuid() ? std::move(part) : std::nullopt;
}

Retirement read(const MetadataElement& part) {
  Retirement retirement{.name = part.attribute("name"),
                        .aim = value(kAims, part.attribute("aim")),
                        .begun = parse_time(part.attribute("begun")),
                        .deleted = parse_time(part.attribute("deleted")),
                        .expires = parse_time(part.attribute("expires")),
                        .revision = part.attribute("revision")};
  if (retirement.name.empty()) throw Error(Code::corrupt, "it does not say the machine's name");
  for (const auto& child : part.children) take(retirement, child);
  retirement.snapshots = virt::moments_in(part, virt::MomentKind::snapshot);
  retirement.checkpoints = virt::moments_in(part, virt::MomentKind::checkpoint);
  return retirement;
}

std::string revision_of(const std::optional<MetadataElement>& part) { return part ? part->attribute("revision") : ""; }

[[noreturn]] void throw_overtaken(const virt::Domain& domain) {
  throw Error(Code::busy, "another muster deletes '" + domain.name() +
                              "' or brings it back at this moment: see what becomes of it, and try again then");
}

MetadataElement to_part(const virt::Domain& domain, const Retirement& retirement) {
  MetadataElement part{.name = kPart,
                       .attributes = {{"name", retirement.name},
                                      {"uuid", domain.uuid()},
                                      {"aim", word(kAims, retirement.aim)},
                                      {"begun", time_text(retirement.begun)},
                                      {"deleted", time_text(retirement.deleted)},
                                      {"expires", time_text(retirement.expires)},
                                      {"revision", retirement.revision}}};
  for (const auto& record : retirement.steps) part.children.push_back(element_of(record));
  virt::put_moments(part, virt::MomentKind::snapshot, retirement.snapshots);
  virt::put_moments(part, virt::MomentKind::checkpoint, retirement.checkpoints);
  for (const auto& path : retirement.removed) part.children.push_back({.name = "removed", .text = path});
  return part;
}

// fmt itself would count in nanoseconds, of which there are not enough beyond the year 2262.
std::tm parts_of(Time time) { return fmt::gmtime(static_cast<std::time_t>(time.time_since_epoch().count())); }

// A damaged entry must not keep the others from being seen.
std::optional<Tombstone> tombstone_of(const virt::Domain& domain) {
  try {
    auto retirement = retirement_of(domain);
    return retirement ? std::optional<Tombstone>({domain, std::move(*retirement)}) : std::nullopt;
  } catch (const Error& e) {
    if (e.code() != Code::corrupt) throw;
    return Tombstone{.domain = domain, .retirement = {.name = domain.name()}, .damage = e.what()};
  }
}

}  // namespace

const char* name_of(Step step) { return word(kSteps, step); }

Step optional_step(std::string_view name) {
  std::string known;
  for (const Step step : kOptional) {
    if (name == name_of(step)) return step;
    known += (known.empty() ? "" : ", ") + std::string(name_of(step));
  }
  throw Error(Code::usage, "no step '" + std::string(name) + "' that can be left out: write one of " + known);
}

StepRecord& Retirement::record(Step step) {
  for (auto& record : steps)
    if (record.step == step) return record;
  return steps.emplace_back(StepRecord{.step = step});
}

const StepRecord* Retirement::find(Step step) const {
  const auto found = std::find_if(steps.begin(), steps.end(), [&](const auto& record) { return record.step == step; });
  return found == steps.end() ? nullptr : &*found;
}

std::optional<Retirement> retirement_of(const virt::Domain& domain) {
  const auto part = virt::own_metadata_part(domain, kPart);
  if (!part) return std::nullopt;
  try {
    return read(*part);
  } catch (const Error& e) {
    throw Error(e.code(),
                fmt::format("what '{}' says of its deletion is damaged ({}): virsh metadata {} {} "
                            "shows it, with --edit mends it, and with --remove makes it a machine like any other",
                            domain.name(), e.what(), domain.name(), virt::kMetadataNamespace));
  }
}

void write_retirement(const virt::Domain& domain, Retirement& retirement) {
  const std::string before = std::exchange(retirement.revision, base::hex(base::random_bytes(8)));
  const auto unchanged = [&](const auto& there) { return revision_of(own(domain, there)) == before; };
  if (!virt::put_metadata_part(domain, to_part(domain, retirement), unchanged)) throw_overtaken(domain);
}

void check_still_written(const virt::Domain& domain, const Retirement& retirement) {
  if (revision_of(virt::own_metadata_part(domain, kPart)) != retirement.revision) throw_overtaken(domain);
}

void drop_retirement(const virt::Domain& domain, const Retirement& retirement) {
  check_still_written(domain, retirement);
  virt::drop_metadata_part(domain, kPart);
}

std::string tombstone_name(const Retirement& retirement, const std::string& uuid) {
  return fmt::format("{}{:%Y%m%d}-{}-{}", kPrefix, parts_of(retirement.begun),
                     base::whole_characters(retirement.name, kMaxNameBytes), uuid.substr(0, 8));
}

bool lies_in_trash(const std::string& name, const Retirement& retirement) {
  return name.starts_with(kPrefix) && name != retirement.name;
}

void check_unused_in_trash(const virt::Domain& domain, const Retirement& retirement) {
  if (!lies_in_trash(domain.name(), retirement)) return;
  const auto state = domain.state();
  if (state == virt::State::shut_off || state == virt::State::crashed) return;
  throw Error(Code::refused, fmt::format("'{}' lies in the trash, and is {}: somebody started it there with other "
                                         "means, and has to shut it down first (virsh shutdown {})",
                                         retirement.name, virt::name_of(state), domain.name()));
}

std::optional<std::string> name_in_trash(const virt::Domain& domain) {
  if (!domain.name().starts_with(kPrefix)) return std::nullopt;
  const auto tombstone = tombstone_of(domain);
  if (!tombstone || (tombstone->damage.empty() && !tombstone->in_trash())) return std::nullopt;
  return tombstone->retirement.name;
}

bool Tombstone::in_trash() const { return damage.empty() && lies_in_trash(domain.name(), retirement); }

bool Tombstone::unfinished() const { return damage.empty() && (!in_trash() || retirement.aim != Aim::trash); }

std::vector<Tombstone> tombstones(const virt::Connection& connection) {
  std::vector<Tombstone> all;
  for (const auto& domain : connection.domains())
    if (auto tombstone = tombstone_of(domain)) all.push_back(std::move(*tombstone));
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.retirement.name < b.retirement.name; });
  return all;
}

bool is_due(const Tombstone& tombstone, std::optional<std::chrono::seconds> older_than) {
  const auto& retirement = tombstone.retirement;
  if (!tombstone.in_trash() || retirement.aim == Aim::undelete) return false;
  if (retirement.deleted > now() + kClockSlack) return false;
  if (retirement.aim == Aim::purge) return true;
  return (older_than ? retirement.deleted + *older_than : retirement.expires) <= now();
}

std::vector<Tombstone> trashed(const virt::Connection& connection, const std::string& name) {
  std::vector<Tombstone> all;
  for (const auto& domain : connection.domains()) {
    if (!domain.name().starts_with(kPrefix)) continue;
    auto tombstone = tombstone_of(domain);
    if (tombstone && tombstone->in_trash() && (tombstone->retirement.name == name || domain.name() == name))
      all.push_back(std::move(*tombstone));
  }
  return all;
}

std::uint64_t held_bytes(const virt::Domain& domain) {
  std::uint64_t bytes = 0;
  for (const auto& disk : virt::DomainXml(domain.xml(virt::Domain::Xml::definition)).disks())
    if (disk.device == "disk" && !disk.read_only && !disk.shareable)
      bytes += virt::disk_sizes(domain, disk.target).allocation_bytes.value_or(0);
  return bytes;
}

TrashHolding held_in_trash(const virt::Connection& connection) {
  TrashHolding holding;
  for (const auto& domain : connection.domains()) {
    if (!in_trash(domain)) continue;
    ++holding.machines;
    holding.bytes += held_bytes(domain);
  }
  return holding;
}

Time now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

std::string time_text(Time time) { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", parts_of(time)); }

Time parse_time(const std::string& text) {
  std::tm parts{};
  const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (end == nullptr || *end != '\0') throw Error(Code::corrupt, "'" + text + "' is no time");
  return Time(std::chrono::seconds(::timegm(&parts)));
}

}  // namespace muster::vm
