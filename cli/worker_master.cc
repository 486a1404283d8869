// Operations of a worker on masters: sealing, listing, removing.
#include <array>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/worker_operations.h"
#include "clone/carrying.h"
#include "clone/dependants.h"
#include "clone/editing.h"
#include "clone/master_removal.h"
#include "clone/master_store.h"
#include "clone/sealing.h"
#include "vm/creation.h"

namespace muster::cli {
namespace {

using nlohmann::json;

json image_fields(const clone::MasterImage& image) {
  return {{"target", image.target},
          {"path", image.path},
          {"format", image.format},
          {"backing", image.backing_path},
          {"capacity_bytes", image.capacity_bytes},
          {"allocation_bytes", image.allocation_bytes},
          {"sha256", image.content_sha256},
          {"made", image.made}};
}

json generation_fields(const clone::Generation& generation) {
  json images = json::array();
  for (const auto& image : generation.images) images.push_back(image_fields(image));
  return {{"master", generation.master},
          {"generation", generation.number},
          {"sealed", generation.sealed},
          {"source", generation.source},
          {"guest", clone::name_of(generation.guest)},
          {"state", generation.whole() ? "sealed" : "half made"},
          {"images", std::move(images)}};
}

clone::SealRequest seal_request(const json& arguments) {
  return {.source = arguments.at("source"),
          .name = arguments.at("name"),
          .copy = arguments.at("copy"),
          .pool = arguments.at("pool"),
          .guest = clone::guest_kind_named(arguments.at("guest").get<std::string>()),
          .take_over = take_over(arguments),
          .keep_tpm = arguments.at("keep_tpm").get<bool>() ? std::optional(tpm_directories(arguments)) : std::nullopt};
}

json plan_fields(const clone::SealPlan& plan) {
  json fields = generation_fields(plan.generation);
  fields["plan"] = plan.sealed_already ? "unchanged" : plan.copied.empty() ? "seal in place" : "seal a copy";
  fields.erase("state");
  fields["outcome"] = "plan";
  if (plan.leftover) fields["removed_first"] = clone::name_of(*plan.leftover);
  return fields;
}

json plan_seal(const WorkerCall& call) {
  return plan_fields(clone::plan_sealing(call.ctx, call.connection, seal_request(call.arguments)));
}

json seal(const WorkerCall& call) {
  const auto plan = clone::plan_sealing(call.ctx, call.connection, seal_request(call.arguments));
  const auto generation = clone::seal(call.ctx, call.connection, plan, [&](std::uint64_t bytes) {
    call.progress({{"bytes_read", bytes}});
  });
  json fields = generation_fields(generation);
  fields["changed"] = !plan.sealed_already;
  return fields;
}

// Who is built on each, in the same call: the images are looked at once.
json list_masters(const WorkerCall& call) {
  const auto all = clone::generations(call.ctx, call.connection);
  const auto around = clone::look_around(call.ctx, call.connection);
  json masters = json::array();
  for (const auto& generation : all) {
    json fields = generation_fields(generation);
    json users = json::array();
    for (const auto& user : clone::dependants(generation, around))
      users.push_back({{"image", user.image}, {"machine", user.machine}});
    fields["dependants"] = std::move(users);
    masters.push_back(std::move(fields));
  }
  return {{"masters", std::move(masters)}};
}

std::vector<clone::Generation> meant(const WorkerCall& call) {
  const auto name = clone::parse_master_name(call.arguments.at("master").get<std::string>());
  auto all = clone::generations(call.ctx, call.connection);
  const auto newest = clone::find_generation(all, name, call.connection.uri());
  if (name.number) return {newest};
  std::erase_if(all, [&](const auto& generation) { return generation.master != name.name; });
  return all;
}

// All of its generations, or none; the newest first, since it may be built on those before.
json remove(const WorkerCall& call) {
  auto generations = meant(call);
  for (const auto& generation : generations)
    if (!generation.whole())
      vm::check_abandoned(*generation.maker, take_over(call.arguments),
                          "the master " + clone::name_of(generation) + " is half made", "removes it");
  const auto around = clone::look_around(call.ctx, call.connection);
  clone::check_unneeded(generations, around);
  json removed = json::array(), freed = json::array();
  for (auto generation = generations.rbegin(); generation != generations.rend(); ++generation) {
    for (const auto& image : generation->images) (image.made ? removed : freed).push_back(image.path);
    if (!call.arguments.at("plan").get<bool>()) clone::remove_images(call.ctx, call.connection, *generation);
  }
  json fields = {{"generations", generations.size()}, {"removed", std::move(removed)}, {"freed", std::move(freed)}};
  if (call.arguments.at("plan").get<bool>()) fields["outcome"] = "plan";
  return fields;
}

// From another hypervisor to this one.
json carry(const WorkerCall& call) {
  const virt::Connection from(call.arguments.at("from").get<std::string>());
  const clone::MasterName name{.name = call.arguments.at("master"), .number = call.arguments.at("generation")};
  const auto generation = clone::find_generation(clone::generations(call.ctx, from), name, from.uri());
  const auto carried = clone::carry(
      call.ctx,
      {.from = from, .to = call.connection, .pool = call.arguments.at("pool"), .take_over = take_over(call.arguments)},
      generation, [&](std::uint64_t bytes) {
        call.progress({{"bytes_read", bytes}});
      });
  return generation_fields(carried);
}

json edit(const WorkerCall& call) {
  const std::string master = call.arguments.at("master");
  const auto plan = clone::plan_edit(call.ctx, call.connection, master);
  json fields = {
      {"master", master}, {"generation", plan.base.number + 1}, {"machine", plan.machine}, {"changed", !plan.begun}};
  if (call.arguments.at("plan").get<bool>()) fields["outcome"] = "plan";
  if (plan.begun || call.arguments.at("plan").get<bool>()) return fields;
  vm::make(call.ctx, call.connection, plan.making, {.start = false, .take_over = vm::TakeOver::from_the_dead});
  return fields;
}

json promote(const WorkerCall& call) {
  if (call.arguments.at("plan").get<bool>()) {
    const auto edit = clone::plan_edit(call.ctx, call.connection, call.arguments.at("master"));
    return {{"master", edit.base.master}, {"generation", edit.base.number + 1}, {"outcome", "plan"}};
  }
  const auto chain = call.arguments.at("flatten").get<bool>() ? clone::Chain::flattened : clone::Chain::kept;
  return generation_fields(
      clone::promote(call.ctx, call.connection, call.arguments.at("master"), chain, [&](std::uint64_t bytes) {
        call.progress({{"bytes_read", bytes}});
      }));
}

json abandon(const WorkerCall& call) {
  if (call.arguments.at("plan").get<bool>()) return {{"master", call.arguments.at("master")}, {"outcome", "plan"}};
  clone::abandon(call.ctx, call.connection, call.arguments.at("master"));
  return {{"master", call.arguments.at("master")}};
}

constexpr std::array kMasterOperations{
    WorkerOperation{"master_plan_seal", plan_seal}, WorkerOperation{"master_seal", seal},
    WorkerOperation{"master_list", list_masters},   WorkerOperation{"master_remove", remove},
    WorkerOperation{"master_carry", carry},         WorkerOperation{"master_edit", edit},
    WorkerOperation{"master_promote", promote},     WorkerOperation{"master_abandon", abandon}};

}  // namespace

std::span<const WorkerOperation> master_operations() { return kMasterOperations; }

}  // namespace muster::cli
