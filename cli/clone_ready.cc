#include "cli/clone_ready.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/environment.h"
#include "cli/host_pins.h"
#include "cli/inventory_writer.h"
#include "cli/machine_source.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

// A distribution's first boot without hardware's help takes minutes.
constexpr std::chrono::minutes kBootPatience{10};
constexpr std::chrono::seconds kAnswer{30};

std::vector<inventory::EntryVariable> variables_of(const Settings& settings, const CloneToReady& clone,
                                                   const std::string& address, const std::vector<std::string>& keys) {
  std::vector<inventory::EntryVariable> variables{{.name = "hypervisor", .value = clone.target.uri}};
  if (!address.empty()) variables.push_back({.name = "address", .value = address});
  if (!keys.empty()) variables.push_back({.name = "host_key", .value = keys});
  if (const auto user = settings.text("user")) variables.push_back({.name = "user", .value = *user});
  if (const auto port = settings.integer("port", 1, 65535)) variables.push_back({.name = "port", .value = *port});
  for (const auto& word : settings.list("var")) {
    const std::size_t equals = word.find('=');
    if (equals == 0 || equals == std::string::npos) settings.reject("var", "write NAME=VALUE");
    variables.push_back({.name = word.substr(0, equals), .value = word.substr(equals + 1)});
  }
  return variables;
}

}  // namespace

CloneReadying::CloneReadying(const VerbCommand& command)
    : command_(command),
      patience_(command.program.settings.duration("timeout").value_or(kBootPatience)),
      file_(inventory_file(command.program)),
      logins_(command.program) {
  const Settings& settings = command.program.settings;
  for (const char* option : {"command", "playbook"})
    if (settings.given(option) && settings.text("wait") != "ssh")
      settings.reject(option, "it runs once SSH is there: add --wait ssh");
  if (const auto file = settings.text("playbook"))
    play_.emplace(playbooks::read_playbook(*file), temporary_directory(), std::nullopt);
  for (const char* option : {"group", "var"})
    if (settings.given(option) && !file_)
      settings.reject(option, "it is about an inventory, and there is none: -i FILE, or --add-to FILE");
  variables_of(settings, {}, "", {});
}

void CloneReadying::enlist(const CloneToReady& clone) { write_entry(clone, clone.fixed_address, {}); }

void CloneReadying::write_entry(const CloneToReady& clone, const std::string& address,
                                const std::vector<std::string>& keys) {
  if (!file_) return;
  const Settings& settings = command_.program.settings;
  const auto variables = variables_of(settings, clone, address, keys);
  auto groups = settings.list("group");
  if (groups.empty()) groups.emplace_back();
  std::vector<inventory::HostEntry> entries;
  for (std::size_t i = 0; i < groups.size(); ++i)
    entries.push_back({.name = clone.target.name,
                       .group = groups[i],
                       .variables = i == 0 ? variables : std::vector<inventory::EntryVariable>{}});
  write_hosts(command_.program, *file_, entries);
}

std::string CloneReadying::address_of(const CloneToReady& clone, const json& heard) const {
  if (!clone.fixed_address.empty()) return clone.fixed_address;
  const auto& addresses = heard.at("addresses");
  if (!addresses.empty()) return addresses.front().get<std::string>();
  throw Error(Code::unreachable, "nobody on " + clone.target.uri + " knows its address");
}

// As the inventory has it by now, groups and all; else what is known here.
inventory::ConnectionFacts CloneReadying::facts_of(const CloneToReady& clone, const std::string& address,
                                                   const std::vector<std::string>& keys) const {
  inventory::ConnectionFacts facts;
  facts.name = clone.target.name;
  if (file_ && uses_inventory(command_.program.settings))
    facts = inventory::connection_facts(load_inventory(command_.program), clone.target.name);
  facts.address = address;
  facts.host_keys = keys;
  return facts;
}

void CloneReadying::run_command(const inventory::ConnectionFacts& facts, base::TimePoint deadline, json& fields) {
  const auto command = command_.program.settings.text("command");
  if (!command) return;
  // Once: it may not be what can be done twice.
  const auto answer = logins_.run_once(facts, *command, std::max(deadline, base::Clock::now() + kAnswer));
  fields.update({{"rc", answer.status}, {"output", answer.output}});
  if (answer.status != 0)
    throw Error(Code::io, fmt::format("it is verified, but --command ended with {}: {}", answer.status,
                                      answer.output.substr(0, 200)));
}

void CloneReadying::run_playbook(const inventory::ConnectionFacts& facts, base::TimePoint deadline, json& fields) {
  if (!play_) return;
  const auto end = std::max(deadline, base::Clock::now() + kAnswer);
  const auto execute = [&](const ssh::RunRequest& request) -> playbooks::Answer {
    if (base::Clock::now() >= end)
      return {.status = {}, .output = {}, .error = Error(Code::timeout, "no time is left: --timeout gives more")};
    auto answer = logins_.ask(facts, request, end);
    return {.status = answer.status, .output = std::move(answer.output), .error = std::move(answer.error)};
  };
  playbooks::Counts counts;
  try {
    play_->run(command_.program.ctx, execute, [&](const playbooks::TaskResult& task) { counts.add(task.outcome); });
  } catch (const Error& e) {
    throw Error(e.code(), std::string("it is verified, but ") + e.what());
  }
  fields.update(
      {{"tasks_done", counts.done}, {"tasks_not_needed", counts.not_needed}, {"tasks_failed", counts.failed}});
}

void CloneReadying::make_ready(const CloneToReady& clone, json& fields) {
  const auto deadline = base::Clock::now() + patience_;
  const json heard = command_.workers.call(clone.target.uri, "clone_boot",
                                           {{"domain", clone.target.domain},
                                            {"patience_ms", patience_.count()},
                                            {"needs_address", clone.fixed_address.empty()}},
                                           patience_ + kAnswer);
  const std::string address = address_of(clone, heard);
  const auto keys = heard.at("host_keys").get<std::vector<std::string>>();
  pin_in_known_hosts(command_.program, clone.uuid, keys);
  write_entry(clone, address, keys);
  fields.update({{"address", address}, {"host_keys", keys}, {"heard_by", heard.at("heard_by")}});
  const auto facts = facts_of(clone, address, keys);
  const Expected expected{.name = clone.target.domain, .disk_bytes = clone.disk_bytes};
  fields["machine_id"] = proved(logins_, facts, deadline, expected, only_ones_).machine_id;
  fields["verified"] = true;
  drop_secret_seed(command_.workers, clone.target, heard);
  run_playbook(facts, deadline, fields);
  run_command(facts, deadline, fields);
  fields["state"] = heard.at("state");
}

}  // namespace muster::cli
