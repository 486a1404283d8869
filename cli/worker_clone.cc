// Operations of a worker on clones: planning them, and making one as it was planned.
#include <array>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/worker_disks.h"
#include "cli/worker_operations.h"
#include "clone/clone_mark.h"
#include "clone/clone_plan.h"
#include "clone/first_boot.h"
#include "clone/flatten.h"
#include "clone/leftovers.h"
#include "clone/master_store.h"
#include "virt/addresses.h"
#include "virt/domain_list.h"
#include "virt/domain_xml.h"
#include "virt/lifecycle.h"
#include "virt/statistics.h"
#include "virt/storage.h"
#include "vm/claims.h"
#include "vm/creation.h"
#include "vm/own_seed.h"
#include "vm/wait_for.h"

namespace muster::cli {
namespace {

using base::Error;
using nlohmann::json;
using std::chrono::milliseconds;

constexpr milliseconds kLeastForAddress{5000};
// Guests read their seeds at the beginning of their first boot.
constexpr milliseconds kSeedPatience{60'000};

json clone_fields(const clone::PlannedClone& planned) {
  json fields = {{"name", planned.name},
                 {"plan", clone::name_of(planned.state)},
                 {"kind", clone::name_of(planned.kind)},
                 {"generation", planned.generation},
                 {"macs", planned.macs},
                 {"left_out", planned.left_out}};
  for (const auto& volume : planned.making.volumes)
    if (!volume.seed) fields["disk_bytes"].push_back(volume.spec.capacity_bytes);
  fields["takes"] = {{"variables", planned.takes_variables}, {"tpm_state", planned.takes_tpm_state}};
  if (planned.identity) fields["identity"] = clone::to_json(*planned.identity);
  if (planned.state != clone::PlannedClone::State::there)
    fields["making"] = vm::to_json(planned.making);
  else
    fields["uuid"] = planned.making.uuid;
  return fields;
}

// Each as progress, before the result.
json plan(const WorkerCall& call) {
  const auto generation = clone::plan_clones(
      call.ctx, call.connection, clone::clone_request_from(call.arguments.at("request")),
      {.take_over = take_over(call.arguments), .reaches_disks = reaches_disks_there(call.connection)},
      [&](const auto& planned) { call.progress(clone_fields(planned)); });
  return {
      {"master", generation.master}, {"generation", generation.number}, {"guest", clone::name_of(generation.guest)}};
}

// What is there that placing clones has to know.
json survey(const WorkerCall& call) {
  const std::string master = call.arguments.at("master"), pool_name = call.arguments.at("pool");
  json generations = json::array(), masters = json::array(), digests = json::object();
  std::uint64_t memory_bytes = 0;
  std::string pool = pool_name;
  for (const auto& generation : clone::generations(call.ctx, call.connection)) {
    if (!generation.whole()) continue;
    if (masters.empty() || masters.back() != generation.master) masters.push_back(generation.master);
    if (generation.master != master) continue;
    generations.push_back(generation.number);
    digests[std::to_string(generation.number)] = generation.images.front().content_sha256;
    memory_bytes = virt::DomainXml(generation.definition).memory_bytes();
    const auto image = virt::volume_of_path(call.connection, generation.images.front().path);
    if (pool_name.empty() && image) pool = image->pool();
  }
  json macs = json::array(), machines = json::array();
  virt::for_each_domain(call.ctx, call.connection, [&](const virt::Domain& domain) {
    machines.push_back(domain.name());
    for (const auto& interface : virt::DomainXml(domain.xml(virt::Domain::Xml::definition)).interfaces())
      macs.push_back(interface.mac);
  });
  const std::uint64_t room = pool.empty() ? 0 : virt::facts(virt::pool(call.connection, pool)).available_bytes;
  return {{"generations", std::move(generations)},
          {"masters", std::move(masters)},
          {"macs", std::move(macs)},
          {"machines", std::move(machines)},
          {"free_memory_bytes", virt::node_statistics(call.connection).free_memory_bytes},
          {"free_disk_bytes", room},
          {"memory_bytes", memory_bytes},
          {"digests", std::move(digests)}};
}

// What is done to its disks and firmware before the machine has them.
vm::Furnish furnishing(const WorkerCall& call, const vm::Making& making, const std::string& tpm_state) {
  const json& identity = call.arguments.at("identity");
  if (identity.is_null() && tpm_state.empty()) return {};
  return [&, tpm_state](const base::Context& ctx) -> std::vector<virt::MetadataElement> {
    if (!tpm_state.empty())
      vm::write_tpm_state(tpm_directories(call.arguments), call.connection.uri(), virt::DomainXml(making.definition),
                          making.uuid, tpm_state);
    if (identity.is_null()) return {};
    return clone::write_identity(ctx, call.connection, making, clone::offline_identity_from(identity), reach_disk);
  };
}

json make(const WorkerCall& call) {
  auto making = vm::making_from_json(call.arguments.at("making"));
  const json& takes = call.arguments.at("takes");
  std::string tpm_state;
  if (takes.at("variables").get<bool>() || takes.at("tpm_state").get<bool>()) {
    const auto master = clone::find_generation(
        clone::generations(call.ctx, call.connection),
        {.name = call.arguments.at("master"), .number = call.arguments.at("generation").get<unsigned>()},
        call.connection.uri());
    if (takes["variables"].get<bool>()) making.variables = master.variables;
    if (takes["tpm_state"].get<bool>()) tpm_state = master.tpm_state;
  }
  const auto domain = vm::make(
      call.ctx, call.connection, making,
      {.start = false, .take_over = take_over(call.arguments), .furnish = furnishing(call, making, tpm_state)});
  return {{"uuid", domain.uuid()}, {"state", virt::name_of(domain.state())}, {"made", true}};
}

json heard_fields(const clone::HostKeysHeard& heard) {
  return {{"host_keys", heard.keys}, {"heard_by", clone::name_of(heard.by)}};
}

json addresses_of(const virt::Domain& domain) {
  json addresses = json::array();
  for (const auto& known : virt::all_addresses(domain)) addresses.push_back(known.address);
  return addresses;
}

// Until its host key and an address are known; without an address where nobody on the hypervisor can know one.
json boot(const WorkerCall& call) {
  const auto domain = call.domain();
  const auto deadline = base::Clock::now() + milliseconds(call.arguments.at("patience_ms").get<std::int64_t>());
  const auto left = [&] { return std::chrono::duration_cast<milliseconds>(deadline - base::Clock::now()); };
  vm::check_unclaimed(call.ctx, call.connection, domain);
  json fields = heard_fields(clone::start_and_hear_keys(call.ctx, domain, left()));
  if (call.arguments.at("needs_address").get<bool>())
    vm::wait_for(call.ctx, domain, {.kind = vm::Milestone::Kind::ip}, std::max(left(), kLeastForAddress));
  fields["addresses"] = addresses_of(domain);
  fields["state"] = virt::name_of(domain.state());
  fields["secret_seed"] = vm::has_secret_seed(domain);
  return fields;
}

json host_keys(const WorkerCall& call) {
  const auto domain = call.domain();
  const auto heard = clone::known_keys(call.ctx, call.connection, domain, reach_disk);
  if (!heard)
    throw Error(
        base::Code::unsupported,
        "nobody can vouch for the host key of '" + domain.name() + "': " +
            (domain.active() ? "its guest agent does not answer, or may not run commands"
                             : "it is off, has none on its disk, and was never started by muster clone create"));
  json fields = heard_fields(*heard);
  fields["addresses"] = domain.active() ? addresses_of(domain) : json::array();
  fields["disk_bytes"] = json::array();
  for (const auto& disk : virt::DomainXml(domain.xml(virt::Domain::Xml::current)).disks())
    if (const auto bytes = virt::disk_sizes(domain, disk.target).capacity_bytes; bytes && disk.device == "disk")
      fields["disk_bytes"].push_back(*bytes);
  fields["uuid"] = domain.uuid();
  fields["secret_seed"] = vm::has_secret_seed(domain);
  return fields;
}

// Of one that was verified: nobody needs it any more.
json destroy_seed(const WorkerCall& call) {
  vm::destroy_secret_seed(call.ctx, call.connection, call.domain(), kSeedPatience);
  return json::object();
}

json list_clones(const WorkerCall& call) {
  json clones = json::array();
  virt::for_each_domain(call.ctx, call.connection, [&](const virt::Domain& domain) {
    const auto mark = clone::clone_mark(domain);
    if (!mark) return;
    clones.push_back({{"name", domain.name()},
                      {"uuid", domain.uuid()},
                      {"master", mark->master},
                      {"generation", mark->generation},
                      {"kind", clone::name_of(mark->kind)},
                      {"since", mark->since},
                      {"state", virt::name_of(domain.state())}});
  });
  return {{"clones", std::move(clones)}};
}

json flatten(const WorkerCall& call) {
  const auto domain = call.domain();
  if (call.arguments.at("plan").get<bool>())
    return {{"disks", clone::built_on_others(call.connection, domain)}, {"outcome", "plan"}};
  const bool changed = clone::flatten(call.ctx, call.connection, domain, [&](std::uint64_t done, std::uint64_t total) {
    call.progress({{"bytes_done", done}, {"bytes_total", total}});
  });
  return {{"changed", changed}, {"state", virt::name_of(domain.state())}};
}

json unfinished_fields(const std::vector<clone::Leftovers::Unfinished>& all) {
  json list = json::array();
  for (const auto& one : all) list.push_back({{"name", one.name}, {"parts", one.parts}, {"kept_because", one.at_work}});
  return list;
}

json collect(const WorkerCall& call) {
  const auto makers = take_over(call.arguments);
  const auto found = clone::look_for_leftovers(call.ctx, call.connection, makers);
  json fields = {{"machines", unfinished_fields(found.machines)},
                 {"masters", unfinished_fields(found.masters)},
                 {"orphans", found.orphans},
                 {"damaged", found.damaged},
                 {"removed", json::array()}};
  if (call.arguments.at("plan").get<bool>())
    fields["outcome"] = "plan";
  else
    fields["removed"] = clone::remove_leftovers(call.ctx, call.connection, makers);
  return fields;
}

constexpr std::array kCloneOperations{WorkerOperation{"clone_survey", survey},
                                      WorkerOperation{"clone_plan", plan},
                                      WorkerOperation{"clone_make", make},
                                      WorkerOperation{"clone_boot", boot},
                                      WorkerOperation{"host_keys", host_keys},
                                      WorkerOperation{"clone_list", list_clones},
                                      WorkerOperation{"clone_flatten", flatten},
                                      WorkerOperation{"clone_gc", collect},
                                      WorkerOperation{"clone_destroy_seed", destroy_seed}};

}  // namespace

std::span<const WorkerOperation> clone_operations() { return kCloneOperations; }

}  // namespace muster::cli
