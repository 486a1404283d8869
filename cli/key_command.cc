// muster key: host keys, as somebody vouches for them.
#include <array>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/host_pins.h"
#include "cli/inventory_writer.h"
#include "cli/verb_command.h"
#include "cli/vm_run.h"
#include "parallel-ssh/host_key.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

// The hypervisors' word goes into the inventory and into known_hosts.
class Scan {
 public:
  Scan(const VerbCommand& command, const VmSelection& selection)
      : command_(command), selection_(selection), file_(inventory_file(command.program)) {}

  json run(std::size_t number) {
    const VmTarget& target = selection_.targets[number];
    const json heard = command_.workers.call(target.uri, "host_keys", {{"domain", target.domain}}, kHostKeyPatience);
    const auto keys = heard.at("host_keys").get<std::vector<std::string>>();
    bool changed = false;
    if (!command_.program.settings.flag("dry-run")) {
      pin_in_known_hosts(command_.program, heard.at("uuid").get<std::string>(), keys);
      if (file_ && target.name.find('#') == std::string::npos)
        changed = write_hosts(command_.program, *file_,
                              {{.name = target.name, .group = {}, .variables = {{.name = "host_key", .value = keys}}}});
    }
    json fields = {{"host_keys", keys}, {"heard_by", heard.at("heard_by")}, {"changed", changed}};
    for (const auto& key : keys) fields["fingerprints"].push_back(ssh::parse_host_key(key).fingerprint);
    return fields;
  }

  std::string line(std::size_t number, const json& result) const {
    std::string text = fmt::format("{}: by its {}{}\n", selection_.names[number], result.value("heard_by", ""),
                                   result.value("changed", false) ? ", written into the inventory" : "");
    for (std::size_t i = 0; i < result.at("host_keys").size(); ++i) {
      const std::string key = result["host_keys"][i];
      text += fmt::format("  {} {}\n", key.substr(0, key.find(' ')), result["fingerprints"][i].get<std::string>());
    }
    return text;
  }

 private:
  const VerbCommand& command_;
  const VmSelection& selection_;
  std::optional<std::string> file_;
};

int key_scan(const VerbCommand& command) {
  if (command.program.settings.text("via") != "hypervisor")
    throw Error(Code::usage,
                "write --via hypervisor: what the network says of host keys nobody vouches for, and "
                "--host-keys accept-new of the other commands takes that down");
  const auto selection = select_machines(command.program, command.workers, command.only_word(), Purpose::look);
  Scan scan(command, selection);
  UnitRun run(command.program, selection.names, kMachines);
  const auto work = [&](std::size_t number) {
    json result = scan.run(number);
    if (!command.program.json()) command.program.console.out(scan.line(number, result));
    return result;
  };
  return run_on_machines(command.program, run, selection, {.run = work});
}

constexpr auto kVerbs = std::to_array<std::pair<std::string_view, VerbRun>>({{"scan", key_scan}});

int run_key(Program& program) { return run_verb(program, kVerbs); }

}  // namespace
}  // namespace muster::cli

int main(int argc, char** argv) { return muster::cli::run_program("key", argc, argv, muster::cli::run_key); }
