#include "vm/served_machine.h"

#include <algorithm>

#include "base/error.h"
#include "virt/domain_xml.h"
#include "virt/lifecycle.h"
#include "virt/served_definition.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;

bool is_on(virt::State state) { return state != virt::State::shut_off && state != virt::State::saved; }

virt::MetadataElement mark_of(const virt::Domain& domain) {
  auto mark = virt::metadata_part(domain, virt::kServedPart);
  if (!mark) throw Error(Code::refused, "'" + domain.name() + "' does not run from a repository any more");
  return *mark;
}

std::string path_of(const virt::DomainXml& xml, const std::string& target) {
  for (const auto& disk : xml.disks())
    if (disk.target == target) return disk.source;
  return "";
}

ServedMachine described(const virt::Domain& domain, const virt::MetadataElement& mark) {
  ServedMachine machine{.from = {.repository = mark.attribute("repository"),
                                 .point = mark.attribute("point"),
                                 .place = mark.attribute("place"),
                                 .pinned_for_this = mark.attribute("pinned") == "yes"},
                        .begun = mark.attribute("begun") == "yes",
                        .state = domain.state(),
                        .reason = domain.reason(),
                        .disks = {}};
  const virt::DomainXml xml(domain.xml(virt::Domain::Xml::current));
  for (const auto& child : mark.children) {
    if (child.name != "disk") continue;
    ServedDisk disk{.target = child.attribute("target"), .path = path_of(xml, child.attribute("target"))};
    disk.moved = !virt::has_chain(xml, disk.target);
    if (!disk.moved && is_on(machine.state)) disk.pull = virt::pull_progress(domain, disk.target);
    machine.disks.push_back(std::move(disk));
  }
  return machine;
}

// An error of a disk that has just come back: the first read finds the connection gone, the next makes a new one.
void resume_after_error(const virt::Domain& domain) {
  if (domain.state() != virt::State::paused || domain.reason() != virt::kIoErrorReason) return;
  try {
    virt::resume(domain);
  } catch (const Error&) {
    if (domain.state() == virt::State::paused) throw;
  }
}

// Another job, as a backup's, may be at work: then later. To give up would leave the machine without its disks.
void begin_pull(const base::Context& ctx, const virt::Domain& domain, const std::string& target,
                std::uint64_t bytes_per_second) {
  try {
    virt::start_pull(domain, target, bytes_per_second);
  } catch (const Error& e) {
    if (e.code() == Code::unreachable) throw;
    ctx.warn(std::string("not yet: ") + e.what());
  }
}

}  // namespace

virt::MetadataElement served_mark(const ServedFrom& from) {
  return {.name = virt::kServedPart,
          .attributes = {{"repository", from.repository},
                         {"point", from.point},
                         {"place", from.place},
                         {"pinned", from.pinned_for_this ? "yes" : "no"},
                         {"begun", "no"}}};
}

bool ServedMachine::moved() const {
  return std::all_of(disks.begin(), disks.end(), [](const ServedDisk& disk) { return disk.moved; });
}

std::optional<ServedMachine> look_at_served(const virt::Domain& domain) {
  const auto mark = virt::metadata_part(domain, virt::kServedPart);
  return mark ? std::optional(described(domain, *mark)) : std::nullopt;
}

void run_served(const virt::Domain& domain) {
  if (!domain.active())
    virt::start(domain);
  else if (domain.state() == virt::State::paused)
    virt::resume(domain);
  auto mark = mark_of(domain);
  mark.attributes["begun"] = "yes";
  virt::put_metadata_part(domain, mark);
}

ServedMachine move_on(const base::Context& ctx, const virt::Domain& domain, std::uint64_t bytes_per_second) {
  const auto mark = mark_of(domain);
  const ServedMachine before = described(domain, mark);
  if (!is_on(before.state)) return before;
  resume_after_error(domain);
  for (const auto& disk : before.disks) {
    ctx.check_stop();
    if (!disk.moved && !disk.pull) begin_pull(ctx, domain, disk.target, bytes_per_second);
  }
  return described(domain, mark);
}

void hold_served(const virt::Domain& domain) {
  if (!domain.active()) return;
  for (const auto& disk : described(domain, mark_of(domain)).disks)
    if (disk.pull) virt::end_pull(domain, disk.target);
  if (domain.state() == virt::State::running) virt::pause(domain);
}

void settle_served(const virt::Connection& connection, const virt::Domain& domain) {
  const auto mark = mark_of(domain);
  connection.define(virt::settled_definition(virt::DomainXml(domain.xml(virt::Domain::Xml::portable)), mark));
  virt::drop_metadata_part(domain, virt::kServedPart);
}

}  // namespace muster::vm
