#include "clone/editing.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "clone/flatten.h"
#include "clone/mac_addresses.h"
#include "clone/master_store.h"
#include "clone/sealing.h"
#include "virt/domain_list.h"
#include "virt/domain_xml.h"
#include "virt/identity.h"
#include "virt/image_files.h"
#include "virt/lifecycle.h"
#include "virt/metadata.h"
#include "virt/storage.h"
#include "vm/creation.h"
#include "vm/firmware.h"
#include "vm/tombstone.h"

namespace muster::clone {
namespace {

using base::Code;
using base::Error;

constexpr const char* kEditPart = "master_edit";

std::string machine_name(const std::string& master) { return master + "-edit"; }

bool is_edit_of(const virt::Domain& domain, const std::string& master) {
  const auto part = virt::own_metadata_part(domain, kEditPart);
  return part && part->attribute("master") == master;
}

std::vector<std::string> fresh_macs(const base::Context& ctx, const virt::Connection& connection, std::size_t count) {
  MacAddresses addresses;
  virt::for_each_domain(ctx, connection, [&](const virt::Domain& domain) {
    for (const auto& interface : virt::DomainXml(domain.xml(virt::Domain::Xml::definition)).interfaces())
      addresses.take(interface.mac);
  });
  std::vector<std::string> macs;
  for (std::size_t i = 0; i < count; ++i) macs.push_back(addresses.next());
  return macs;
}

vm::PlannedVolume overlay(const virt::Connection& connection, const Generation& base, const MasterImage& image) {
  const auto pool = virt::pool_of_directory(connection, virt::directory_of(image.path));
  if (!pool) throw Error(Code::not_found, "no active pool has the directory of " + image.path);
  vm::PlannedVolume volume{.pool = pool->name(), .spec = {}, .target = image.target};
  volume.spec.name = fmt::format("{}-g{}-{}.qcow2", base.master, base.number + 1, image.target);
  volume.spec.capacity_bytes = image.capacity_bytes;
  volume.spec.backing = virt::BackingImage{.path = image.path, .format = image.format};
  return volume;
}

vm::Making making_of(const base::Context& ctx, const virt::Connection& connection, const Generation& base) {
  const virt::DomainXml before(base.definition);
  vm::Making making{.uuid = vm::fresh_uuid(), .definition = {}, .volumes = {}, .variables = base.variables};
  virt::NewIdentity identity{.name = machine_name(base.master),
                             .disks = {},
                             .uuid = making.uuid,
                             .macs = fresh_macs(ctx, connection, before.interfaces().size())};
  for (const auto& image : base.images) {
    auto volume = overlay(connection, base, image);
    identity.disks[image.target] = {.path = virt::directory_of(image.path) + "/" + volume.spec.name, .format = "qcow2"};
    making.volumes.push_back(std::move(volume));
  }
  virt::DomainXml definition(virt::with_new_identity(before, identity).xml);
  vm::place_variables(connection, definition, making.variables);
  virt::MetadataElement part{
      .name = kEditPart,
      .attributes = {{"uuid", making.uuid}, {"master", base.master}, {"generation", std::to_string(base.number)}}};
  for (const auto& volume : making.volumes)
    part.children.push_back({.name = "volume", .attributes = {{"pool", volume.pool}, {"name", volume.spec.name}}});
  virt::set_facts(definition, {part});
  making.definition = definition.text();
  return making;
}

virt::Domain edited(const virt::Connection& connection, const std::string& master) {
  const auto domain = connection.find_domain(machine_name(master));
  if (!domain || !is_edit_of(*domain, master))
    throw Error(Code::not_found,
                "the master '" + master + "' is not being edited: muster master edit " + master + " begins it");
  return *domain;
}

std::optional<Generation> promoted_already(const base::Context& ctx, const virt::Connection& connection,
                                           const virt::Domain& domain, const std::string& master) {
  for (const auto& disk : virt::DomainXml(domain.xml(virt::Domain::Xml::definition)).disks())
    if (disk.device == "disk" && !disk.read_only)
      if (auto claim = claim_of_image(ctx, connection, virt::image_path(connection, disk));
          claim && claim->whole() && claim->master == master && claim->source_uuid == domain.uuid())
        return claim;
  return std::nullopt;
}

Generation next_of(const base::Context& ctx, const virt::Connection& connection, const virt::Domain& domain,
                   const std::string& master) {
  const auto all = generations(ctx, connection);
  Generation next = find_generation(all, {.name = master}, connection.uri());
  const auto images = next.images;
  // Also after one that is half made.
  for (const auto& other : all)
    if (other.master == master) next.number = std::max(next.number, other.number);
  next.number += 1;
  next.source = domain.name();
  next.source_uuid = domain.uuid();
  next.images.clear();
  const virt::DomainXml definition(domain.xml(virt::Domain::Xml::definition));
  for (const auto& disk : definition.disks())
    if (std::any_of(images.begin(), images.end(), [&](const auto& image) { return image.target == disk.target; }))
      next.images.push_back(
          {.target = disk.target, .path = virt::image_path(connection, disk), .format = "qcow2", .made = true});
  if (next.images.size() != images.size())
    throw Error(Code::refused,
                "'" + domain.name() + "' has other disks than the master: bring them back, or --abandon");
  if (auto variables = vm::read_variables(ctx, connection, definition)) next.variables = std::move(*variables);
  return next;
}

}  // namespace

EditPlan plan_edit(const base::Context& ctx, const virt::Connection& connection, const std::string& master) {
  EditPlan plan{.base = find_generation(generations(ctx, connection), parse_master_name(master), connection.uri()),
                .machine = machine_name(master),
                .making = {}};
  if (!plan.base.whole()) throw Error(Code::busy, "the master " + name_of(plan.base) + " is half made");
  if (const auto there = connection.find_domain(plan.machine); there && !virt::creation_mark(*there)) {
    if (!is_edit_of(*there, master)) throw Error(Code::refused, "'" + plan.machine + "' is another machine already");
    plan.begun = true;
    return plan;
  }
  check_unchanged(ctx, connection, plan.base);
  plan.making = making_of(ctx, connection, plan.base);
  return plan;
}

Generation promote(const base::Context& ctx, const virt::Connection& connection, const std::string& master, Chain chain,
                   const ReadProgress& progress) {
  const auto domain = edited(connection, master);
  auto generation = promoted_already(ctx, connection, domain, master);
  if (generation) {
    claim_images(ctx, connection, *generation);
  } else {
    check_at_rest(domain);
    if (chain == Chain::flattened) flatten(ctx, connection, domain, {});
    generation = next_of(ctx, connection, domain, master);
    seal_images(ctx, connection, *generation, progress);
  }
  virt::undefine(domain, virt::FirmwareState::removed);
  return *generation;
}

void abandon(const base::Context& ctx, const virt::Connection& connection, const std::string& master) {
  const auto domain = edited(connection, master);
  check_at_rest(domain);
  if (const auto generation = promoted_already(ctx, connection, domain, master))
    throw Error(Code::refused, "what was edited is the generation " + name_of(*generation) +
                                   " already: --promote ends "
                                   "what was begun");
  vm::Leftover leftover{.domain = domain, .mark = vm::mark_of_this_process()};
  leftover.mark.uuid = domain.uuid();
  const virt::DomainXml definition(domain.xml(virt::Domain::Xml::definition));
  const auto part = virt::metadata_part(domain, kEditPart);
  for (const auto& volume : part ? part->children : std::vector<virt::MetadataElement>{})
    if (volume.name == "volume") leftover.mark.volumes.push_back({volume.attribute("pool"), volume.attribute("name")});
  // From here on it is half made, and whoever comes next may remove it.
  leftover.domain = connection.define_as_known(virt::marked_definition(definition, leftover.mark));
  vm::remove(ctx, connection, leftover);
}

}  // namespace muster::clone
