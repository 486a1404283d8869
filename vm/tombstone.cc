#include "vm/tombstone.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/error.h"
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

constexpr std::array<std::pair<Step, const char*>, 11> kSteps{{{Step::disable_logins, "disable-logins"},
                                                               {Step::stop_services, "stop-services"},
                                                               {Step::final_backup, "final-backup"},
                                                               {Step::shut_down, "shut-down"},
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

MetadataElement element_of(const char* name, const virt::Moment& moment) {
  MetadataElement element{.name = name, .attributes = {{"name", moment.name}}, .text = moment.xml};
  if (moment.current) element.attributes["current"] = "yes";
  return element;
}

virt::Moment moment_of(const MetadataElement& element) {
  return {.name = element.attribute("name"), .xml = element.text, .current = element.attribute("current") == "yes"};
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
  if (child.name == "snapshot") retirement.snapshots.push_back(moment_of(child));
  if (child.name == "checkpoint") retirement.checkpoints.push_back(moment_of(child));
  if (child.name == "removed") retirement.removed.push_back(child.text);
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

std::vector<Step> all_steps() {
  std::vector<Step> steps;
  for (const auto& row : kSteps) steps.push_back(row.first);
  return steps;
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
  const auto part = virt::metadata_part(domain, kPart);
  if (!part) return std::nullopt;
  Retirement retirement{.name = part->attribute("name"),
                        .aim = value(kAims, part->attribute("aim")),
                        .begun = parse_time(part->attribute("begun")),
                        .expires = parse_time(part->attribute("expires"))};
  for (const auto& child : part->children) take(retirement, child);
  return retirement;
}

void write_retirement(const virt::Domain& domain, const Retirement& retirement) {
  MetadataElement part{.name = kPart,
                       .attributes = {{"name", retirement.name},
                                      {"aim", word(kAims, retirement.aim)},
                                      {"begun", time_text(retirement.begun)},
                                      {"expires", time_text(retirement.expires)}}};
  for (const auto& record : retirement.steps) part.children.push_back(element_of(record));
  for (const auto& moment : retirement.snapshots) part.children.push_back(element_of("snapshot", moment));
  for (const auto& moment : retirement.checkpoints) part.children.push_back(element_of("checkpoint", moment));
  for (const auto& path : retirement.removed) part.children.push_back({.name = "removed", .text = path});
  virt::put_metadata_part(domain, part);
}

void drop_retirement(const virt::Domain& domain) { virt::drop_metadata_part(domain, kPart); }

std::string tombstone_name(const Retirement& retirement, const std::string& uuid) {
  return fmt::format("{}{:%Y%m%d}-{}-{}", kPrefix, retirement.begun, retirement.name.substr(0, kMaxNameBytes),
                     uuid.substr(0, 8));
}

std::optional<std::string> name_in_trash(const virt::Domain& domain) {
  if (!domain.name().starts_with(kPrefix)) return std::nullopt;
  const auto retirement = retirement_of(domain);
  return retirement && retirement->name != domain.name() ? std::optional(retirement->name) : std::nullopt;
}

bool Tombstone::in_trash() const { return domain.name() != retirement.name; }

bool Tombstone::unfinished() const { return !in_trash() || retirement.aim != Aim::trash; }

std::vector<Tombstone> tombstones(const virt::Connection& connection) {
  std::vector<Tombstone> all;
  for (const auto& domain : connection.domains())
    if (auto retirement = retirement_of(domain)) all.push_back({domain, std::move(*retirement)});
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.retirement.name < b.retirement.name; });
  return all;
}

std::vector<Tombstone> trashed(const virt::Connection& connection, const std::string& name) {
  std::vector<Tombstone> all;
  for (const auto& domain : connection.domains()) {
    if (!domain.name().starts_with(kPrefix)) continue;
    auto retirement = retirement_of(domain);
    if (!retirement || retirement->name == domain.name()) continue;
    if (retirement->name == name || domain.name() == name) all.push_back({domain, std::move(*retirement)});
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

std::string time_text(Time time) { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", time); }

Time parse_time(const std::string& text) {
  std::tm parts{};
  const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (end == nullptr || *end != '\0') throw Error(Code::corrupt, "'" + text + "' is no time");
  return Time(std::chrono::seconds(::timegm(&parts)));
}

}  // namespace muster::vm
