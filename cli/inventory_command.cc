// muster inventory: what the inventory says (list, show), what is wrong with it (check), and a new one (discover).
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/exit_status.h"
#include "cli/fleet_selection.h"
#include "cli/inventory_discover.h"
#include "cli/json_lines.h"
#include "inventory/ansible_json.h"
#include "inventory/name_folding.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using inventory::Inventory;
using nlohmann::json;

std::string summary(std::size_t hosts, int status) {
  return json_line("summary", {{"hosts", hosts}, {"exit", status}});
}

void add_graph(std::string& text, const Inventory& inventory, inventory::GroupIndex group, int depth) {
  const auto indent = [&](int levels) {
    std::string lead;
    for (int i = 0; i < levels; ++i) lead += "  |";
    return lead;
  };
  const auto& node = inventory.groups()[group];
  text += fmt::format("{}{}@{}:\n", indent(depth), depth > 0 ? "--" : "", node.name);
  for (const auto child : node.children) add_graph(text, inventory, child, depth + 1);
  for (const auto host : node.hosts) text += fmt::format("{}--{}\n", indent(depth + 1), inventory.host_name(host));
}

void list_json(const Program& program, const Inventory& inventory, const std::vector<inventory::HostIndex>& hosts) {
  for (const auto host : hosts)
    program.console.out(
        json_line("result", {{"host", inventory.host_name(host)}, {"groups", inventory.group_names(host)}}));
  program.console.out(summary(hosts.size(), kAllWorked));
}

// These show the whole inventory, in forms of their own.
void check_whole(const Program& program, const std::vector<std::string>& words) {
  for (const char* form : {"ansible", "groups", "graph"}) {
    if (!program.settings.flag(form)) continue;
    if (words.size() > 1 || program.settings.given("limit"))
      throw Error(Code::usage, fmt::format("--{} shows the whole inventory: leave out the pattern and --limit", form));
    if (program.json()) throw Error(Code::usage, fmt::format("--{} and --json exclude each other", form));
  }
}

int list(const Program& program, const std::vector<std::string>& words) {
  check_whole(program, words);
  if (words.size() > 2) throw Error(Code::usage, "one pattern, please: muster inventory list [PATTERN]");
  const Inventory inventory = load_inventory(program, Unnamed::local_hypervisor);
  const Settings& settings = program.settings;
  std::string text;
  if (settings.flag("ansible")) {
    text = inventory::ansible_json(inventory) + "\n";
  } else if (settings.flag("groups")) {
    for (const auto& group : inventory.groups()) text += group.name + "\n";
  } else if (settings.flag("graph")) {
    add_graph(text, inventory, 0, 0);
  } else {
    const auto hosts = select_hosts(program, inventory, words.size() == 2 ? words[1] : "all").hosts;
    if (program.json()) return list_json(program, inventory, hosts), kAllWorked;
    std::vector<std::string> names;
    for (const auto host : hosts) names.push_back(inventory.host_name(host));
    if (settings.flag("fold"))
      text = inventory::fold_names(names) + "\n";
    else
      for (const auto& name : names) text += name + "\n";
  }
  program.console.out(text);
  return kAllWorked;
}

std::string place_of(const inventory::Variable& variable) {
  return fmt::format("{}:{}", *variable.file, variable.value->at.line);
}

int explain(const Program& program, const Inventory& inventory, inventory::HostIndex host, const std::string& name) {
  const auto settings = inventory.explain(host, name);
  if (settings.empty())
    throw Error(Code::usage, fmt::format("nothing sets '{}' for {}", name, inventory.host_name(host)));
  for (const auto& setting : settings) {
    const bool wins = &setting == &settings.back();
    const std::string value = inventory::json_text(*setting.value, inventory.schema());
    if (program.json()) {
      program.console.out(json_line("result", {{"host", inventory.host_name(host)},
                                               {"variable", name},
                                               {"value", json::parse(value)},
                                               {"scope", setting.scope},
                                               {"file", setting.origin.file},
                                               {"line", setting.origin.at.line},
                                               {"wins", wins}}));
    } else {
      program.console.out(fmt::format("{} {}:{}: {} ({})\n", wins ? "*" : " ", setting.origin.file,
                                      setting.origin.at.line, value, setting.scope));
    }
  }
  if (program.json()) program.console.out(summary(1, kAllWorked));
  return kAllWorked;
}

int show(const Program& program, const std::vector<std::string>& words) {
  if (words.size() != 2) throw Error(Code::usage, "one host, please: muster inventory show HOST");
  const Inventory inventory = load_inventory(program, Unnamed::local_hypervisor);
  const auto hosts = select_hosts(program, inventory, words[1]).hosts;
  if (hosts.size() != 1)
    throw Error(Code::usage, fmt::format("'{}' is {} hosts; show takes one", words[1], hosts.size()));
  const auto host = hosts.front();
  if (const auto name = program.settings.text("explain")) return explain(program, inventory, host, *name);
  json object;
  std::string text = fmt::format("# {}: {}\n", inventory.host_name(host), fmt::join(inventory.group_names(host), ", "));
  for (const auto& [name, variable] : inventory.variables(host)) {
    const std::string value = inventory::json_text(*variable.value, inventory.schema());
    object[name] = json::parse(value);
    text += fmt::format("{}: {}  # {}\n", name, value, place_of(variable));
  }
  if (!program.json()) return program.console.out(text), kAllWorked;
  program.console.out(json_line("result", {{"host", inventory.host_name(host)},
                                           {"groups", inventory.group_names(host)},
                                           {"variables", object.is_null() ? json::object() : object}}) +
                      summary(1, kAllWorked));
  return kAllWorked;
}

// Everything wrong at once, also what only shows when hosts are about to be reached.
int check(const Program& program) {
  std::vector<std::string> problems;
  const Inventory inventory = inventory::load(program.ctx, inventory_sources(program.settings),
                                              {.dialect = dialect_of(program), .all_problems = &problems});
  for (inventory::HostIndex host = 0; host < inventory.host_count(); ++host) {
    try {
      check_host_keys(inventory, host);
    } catch (const Error& e) {
      problems.emplace_back(e.what());
    }
  }
  const int status = problems.empty() ? kAllWorked : kUsage;
  for (const auto& problem : problems) {
    if (program.json())
      program.console.out(json_line("error", {{"error", problem}}));
    else
      program.console.err(problem + "\n");
  }
  if (program.json())
    program.console.out(summary(inventory.host_count(), status));
  else if (!program.quiet())
    program.console.err(fmt::format("{} hosts, {} groups, {} problems\n", inventory.host_count(),
                                    inventory.groups().size(), problems.size()));
  return status;
}

int run_inventory(Program& program) {
  const auto& words = program.arguments.words;
  const std::string verb = words.empty() ? "" : words.front();
  if (verb == "list") return list(program, words);
  if (verb == "show") return show(program, words);
  if (verb == "check" && words.size() == 1) return check(program);
  if (verb == "discover") return discover_inventory(program, {words.begin() + 1, words.end()});
  throw Error(Code::usage, "write muster inventory list [PATTERN], show HOST, check, or discover [URI]...");
}

}  // namespace
}  // namespace muster::cli

int main(int argc, char** argv) {
  return muster::cli::run_program("inventory", argc, argv, muster::cli::run_inventory);
}
