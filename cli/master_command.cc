// muster master: images that fleets are cloned from.
#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/generation_text.h"
#include "cli/hypervisor_listing.h"
#include "cli/json_lines.h"
#include "cli/seal_order.h"
#include "cli/size_text.h"
#include "cli/text_table.h"
#include "cli/unit_run.h"
#include "cli/verb_command.h"
#include "cli/vm_run.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

constexpr std::chrono::minutes kLookPatience{10};

std::uint64_t sum(const json& images, const char* field) {
  std::uint64_t all = 0;
  for (const auto& image : images) all += image.value(field, std::uint64_t{0});
  return all;
}

std::string seal_line(const VmTarget& target, const json& result) {
  return fmt::format("{}: {} {} on {}\n", target.name,
                     result.value("changed", false) ? "sealed as" : "is sealed already as", generation_text(result),
                     target.uri);
}

std::string seal_plan_line(const VmTarget& target, const json& result) {
  std::string text =
      fmt::format("{}: {} as {} on {}\n", target.name, result.value("plan", ""), generation_text(result), target.uri);
  for (const auto& image : result.at("images"))
    text += fmt::format("  {} {}\n", image.value("target", ""), image.value("path", ""));
  return text;
}

// A machine as everywhere; an image on the one hypervisor that is meant.
VmSelection source_of(const VerbCommand& command) {
  const std::string& word = command.only_word();
  const std::size_t hash = word.find('#'), slash = word.find('/');
  const bool image = hash == std::string::npos ? slash != std::string::npos : word.find('/', hash) != std::string::npos;
  if (!image) return select_machines(command.program, command.workers, word, Purpose::change);
  VmTarget target{.name = word, .uri = {}, .domain = word};
  if (hash != std::string::npos) {
    target.uri = word.substr(0, hash);
    target.domain = word.substr(hash + 1);
  } else {
    const auto uris = named_hypervisors(command.program);
    if (uris.size() > 1)
      throw Error(Code::usage, "on which hypervisor is " + word + "? Write URI#" + word + ", or -c URI");
    target.uri = uris.front();
  }
  return {.targets = {target}, .names = {target.name}};
}

int master_seal(const VerbCommand& command) {
  const Settings& settings = command.program.settings;
  const auto name = settings.text("name");
  if (!name) throw Error(Code::usage, "a master has a name: write --name NAME");
  if (settings.given_now("pool") && !settings.flag("copy"))
    settings.reject("pool", "what is sealed in place stays where it is: add --copy");
  const auto selection = source_of(command);
  if (selection.targets.size() != 1)
    throw Error(Code::usage, fmt::format("{} machines match, and a master is made of one", selection.targets.size()));
  const bool plan = settings.flag("dry-run");
  const auto arguments = [&](const VmTarget& target) {
    SealOrder order{.source = target.domain, .name = *name};
    order.copy = settings.flag("copy");
    order.pool = settings.text("pool").value_or(order.pool);
    order.guest = settings.text("guest").value_or(order.guest);
    order.keep_tpm = settings.flag("keep-tpm");
    order.take_over = settings.flag("yes");
    return to_json(order);
  };
  return run_on_machines(command.program, command.workers, selection,
                         {.name = plan ? "master_plan_seal" : "master_seal",
                          .arguments = arguments,
                          .patience = plan ? kLookPatience : std::chrono::milliseconds(kSealPatience),
                          .line = plan ? seal_plan_line : seal_line,
                          .progress = [](const json& progress) {
                            return size_text(progress.value("bytes_read", std::uint64_t{0})) + " read";
                          }});
}

std::string users_text(const json& generation) {
  const auto& users = generation.at("dependants");
  if (users.empty()) return "-";
  constexpr std::size_t kShown = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(kShown, users.size()); ++i) {
    const std::string machine = users[i].value("machine", "");
    text += (text.empty() ? "" : ",") + (machine.empty() ? users[i].value("image", "") : machine);
  }
  return users.size() > kShown ? fmt::format("{} and {} more", text, users.size() - kShown) : text;
}

void print_names(const Program& program, const HypervisorListing<json>& masters) {
  std::set<std::string> names;
  for (const auto& of_one : masters.found())
    for (const auto& generation : of_one) names.insert(generation.value("master", ""));
  for (const auto& name : names) program.console.out(name + "\n");
}

void print(const Program& program, const HypervisorListing<json>& masters) {
  if (program.settings.flag("names") && !program.json()) return print_names(program, masters);
  TextTable table({"MASTER", "SEALED", "DISK", "GUEST", "STATE", "BUILT ON IT", "HYPERVISOR"});
  for (const auto& of_one : masters.found())
    for (const auto& generation : of_one) {
      if (program.json()) {
        program.console.out(json_line("result", generation));
        continue;
      }
      const auto& images = generation.at("images");
      table.add_row({generation_text(generation), generation.value("sealed", ""),
                     size_text(sum(images, "allocation_bytes")) + "/" + size_text(sum(images, "capacity_bytes")),
                     generation.value("guest", ""), generation.value("state", ""), users_text(generation),
                     generation.value("uri", "")});
    }
  if (!program.json()) program.console.out(table.text());
}

std::vector<json> wanted_of(const json& answer, const std::string& uri, const std::optional<std::string>& name) {
  std::vector<json> wanted;
  for (json generation : answer.at("masters")) {
    if (name && generation.value("master", "") != *name && generation_text(generation) != *name) continue;
    generation["uri"] = uri;
    wanted.push_back(std::move(generation));
  }
  return wanted;
}

int master_list(const VerbCommand& command) {
  if (command.words.size() > 1) command.only_word();
  const auto name = command.words.empty() ? std::nullopt : std::optional(command.words.front());
  const HostNames uris = all_hypervisors(command.program);
  HypervisorListing<json> masters(uris.size());
  const auto task = [&](std::size_t number, ssh::OutputSink&) {
    return report_of([&] {
      const json answer = command.workers.call(uris[number], "master_list", json::object(), kLookPatience);
      masters.put(number, wanted_of(answer, uris[number], name));
    });
  };
  bool any = false;
  const auto show = [&] {
    print(command.program, masters);
    for (const auto& of_one : masters.found()) any = any || !of_one.empty();
  };
  const int status = UnitRun(command.program, uris, kHypervisors, Closing::failures_only).execute(task, nullptr, show);
  if (name && !any && status == 0) throw Error(Code::not_found, "no master '" + *name + "' there");
  return status;
}

std::string removal_line(const VmTarget& target, const json& result) {
  const bool plan = result.value("outcome", "") == "plan";
  std::string text =
      fmt::format("{}: {}{} on {}\n", target.domain, plan ? "would be " : "",
                  result.value("generations", 0) == 1 ? "let go" : "let go with all its generations", target.uri);
  for (const auto& image : result.at("removed"))
    text += fmt::format("  {} {}\n", plan ? "remove" : "removed", image.get<std::string>());
  for (const auto& image : result.at("freed")) text += fmt::format("  {} may change again\n", image.get<std::string>());
  return text;
}

// The hypervisors that have it.
VmSelection places_of(const VerbCommand& command, const std::string& master) {
  VmSelection selection;
  const std::string name = master.substr(0, master.find('@'));
  for (const auto& uri : named_hypervisors(command.program)) {
    const json answer = command.workers.call(uri, "master_list", json::object(), kLookPatience);
    if (wanted_of(answer, uri, name).empty()) continue;
    selection.targets.push_back({.name = master + " on " + uri, .uri = uri, .domain = master});
    selection.names.push_back(selection.targets.back().name);
  }
  if (selection.targets.empty()) throw Error(Code::not_found, "no master '" + name + "' there: muster master list");
  return selection;
}

int master_remove(const VerbCommand& command) {
  const std::string& master = command.only_word();
  const auto selection = places_of(command, master);
  const bool plan = command.program.settings.flag("dry-run");
  // On none of them, if it is needed on one.
  if (!plan)
    for (const auto& target : selection.targets)
      command.workers.call(target.uri, "master_remove",
                           {{"master", target.domain}, {"plan", true}, {"take_over", true}}, kLookPatience);
  if (!plan) confirm(command.program, "remove the master " + master);
  const bool take_over = command.program.settings.flag("yes");
  return run_on_machines(command.program, command.workers, selection,
                         {.name = "master_remove",
                          .arguments =
                              [plan, take_over](const VmTarget& target) {
                                return json{{"master", target.domain}, {"plan", plan}, {"take_over", take_over}};
                              },
                          .patience = kLookPatience,
                          .line = removal_line});
}

std::string edit_line(const VmTarget& target, const json& result) {
  if (result.value("outcome", "") == "plan")
    return fmt::format("{}: would be edited in {}\n", generation_text(result), result.value("machine", ""));
  return fmt::format("{}: {} {}; muster vm start {} and change it, then stop it and muster master edit {} --promote\n",
                     generation_text(result), result.value("changed", false) ? "edited in" : "is being edited in",
                     result.value("machine", ""), result.value("machine", ""), target.domain);
}

std::string promoted_line(const VmTarget& target, const json& result) {
  if (result.value("outcome", "") == "plan")
    return fmt::format("{}: would be a generation of its own, on {}\n", generation_text(result), target.uri);
  return fmt::format("{}: is a generation of its own now, on {}\n", generation_text(result), target.uri);
}

std::string abandoned_line(const VmTarget& target, const json& result) {
  if (result.value("outcome", "") == "plan") return fmt::format("{}: what was edited would go\n", target.domain);
  return fmt::format("{}: what was edited is gone\n", target.domain);
}

int begin_edit(const VerbCommand& command, const VmSelection& selection) {
  const Settings& settings = command.program.settings;
  const bool plan = settings.flag("dry-run");
  const auto& target = selection.targets.front();
  const int status = run_on_machines(command.program, command.workers, selection,
                                     {.name = "master_edit",
                                      .arguments =
                                          [plan](const VmTarget& one) {
                                            return json{{"master", one.domain}, {"plan", plan}};
                                          },
                                      .patience = kLookPatience,
                                      .line = edit_line});
  if (status == 0 && settings.flag("start") && !plan)
    command.workers.call(target.uri, "start", {{"domain", target.domain + "-edit"}}, kUsualPatience);
  return status;
}

int master_edit(const VerbCommand& command) {
  const Settings& settings = command.program.settings;
  if (command.only_word().find('@') != std::string::npos)
    throw Error(Code::usage, "the newest generation is edited: write its master's name alone");
  const auto selection = places_of(command, command.only_word());
  if (selection.targets.size() > 1)
    throw Error(Code::usage, "several hypervisors have it: name one with -c, and carry the new generation from there");
  if (settings.flag("promote") && settings.flag("abandon"))
    throw Error(Code::usage, "--promote keeps what was edited, and --abandon throws it away: write one of them");
  if (settings.flag("flatten") && !settings.flag("promote")) settings.reject("flatten", "it goes with --promote");
  const auto& target = selection.targets.front();
  if (!settings.flag("promote") && !settings.flag("abandon")) return begin_edit(command, selection);
  const bool plan = settings.flag("dry-run");
  if (settings.flag("abandon") && !plan) confirm(command.program, "throw away what was edited of " + target.domain);
  const bool flatten = settings.flag("flatten");
  return run_on_machines(command.program, command.workers, selection,
                         {.name = settings.flag("promote") ? "master_promote" : "master_abandon",
                          .arguments =
                              [flatten, plan](const VmTarget& one) {
                                return json{{"master", one.domain}, {"flatten", flatten}, {"plan", plan}};
                              },
                          .patience = std::chrono::milliseconds(kSealPatience),
                          .line = settings.flag("promote") ? promoted_line : abandoned_line});
}

constexpr auto kVerbs = std::to_array<std::pair<std::string_view, VerbRun>>(
    {{"seal", master_seal}, {"list", master_list}, {"remove", master_remove}, {"edit", master_edit}});

int run_master(Program& program) { return run_verb(program, kVerbs); }

}  // namespace
}  // namespace muster::cli

int main(int argc, char** argv) { return muster::cli::run_program("master", argc, argv, muster::cli::run_master); }
