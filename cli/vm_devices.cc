// muster vm attach, detach, media: what is put into machines and taken out.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/terminal_text.h"
#include "cli/verb_table.h"
#include "cli/vm_commands.h"
#include "cli/vm_plan.h"
#include "cli/vm_run.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

// How long a guest may take to let go of a device.
constexpr std::chrono::milliseconds kLetGoPatience{30'000};

// What is to be done to which machines; `text` for people, before the machine's name.
struct Request {
  std::string pattern, operation, text;
  json arguments;
  bool one_machine = false;  // would harm more than one
};

[[noreturn]] void explain(const VerbCommand& command) {
  throw Error(Code::usage,
              fmt::format("write muster vm {} {}", command.verb, find_verb("vm", command.verb)->arguments));
}

void need_words(const VerbCommand& command, std::size_t count) {
  if (command.words.size() != count) explain(command);
}

// `disk=PATH,target=vdb,readonly` as names and values; a word alone is true.
json parse_device(const std::string& text) {
  json device = json::object();
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t end = std::min(text.find(',', from), text.size());
    const std::string item = text.substr(from, end - from);
    const std::size_t equals = item.find('=');
    const std::string name = item.substr(0, equals);
    if (name.empty() || device.contains(name))
      throw Error(Code::usage, fmt::format("'{}': write KIND=SOURCE,NAME=VALUE,... , each name once", text));
    device[name] = equals == std::string::npos ? json(true) : json(item.substr(equals + 1));
    from = end + 1;
  }
  return device;
}

void check_names(const json& device, const std::vector<std::string>& names) {
  for (const auto& [name, value] : device.items()) {
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw Error(Code::usage, fmt::format("'{}' is nothing that can be said here: {}", name, fmt::join(names, ", ")));
    const bool flag = name == "readonly" || name == "user";
    if (value.is_boolean() != flag)
      throw Error(Code::usage, flag ? name + " has no value" : "write " + name + "=VALUE");
  }
}

Request attach_request(const VerbCommand& command) {
  need_words(command, 2);
  json device = parse_device(command.words[1]);
  Request request{.pattern = command.words[0],
                  .operation = "attach_disk",
                  .text = "attach " + command.words[1] + " to",
                  .arguments = {}};
  if (device.contains("disk")) {
    check_names(device, {"disk", "target", "bus", "format", "readonly"});
    request.one_machine = !device.contains("readonly");
  } else {
    request.operation = "attach_interface";
    request.one_machine = device.contains("mac");
    for (const char* kind : {"network", "bridge", "user"}) {
      if (!device.contains(kind)) continue;
      check_names(device, {kind, "mac", "model"});
      device["kind"] = kind;
      if (device[kind].is_string()) device["source"] = device[kind];
    }
    if (!device.contains("kind")) explain(command);
  }
  request.arguments = std::move(device);
  return request;
}

Request detach_request(const VerbCommand& command) {
  need_words(command, 2);
  const auto patience = command.program.settings.duration("timeout").value_or(kLetGoPatience);
  return {.pattern = command.words[0],
          .operation = "detach",
          .text = "detach " + command.words[1] + " from",
          .arguments = {{"device", command.words[1]}, {"patience_ms", patience.count()}}};
}

Request media_request(const VerbCommand& command) {
  const std::string action = command.words.empty() ? "" : command.words[0];
  if (action != "insert" && action != "eject") explain(command);
  need_words(command, action == "insert" ? 3 : 2);
  json arguments = {{"target", command.program.settings.text("target").value_or("")}};
  if (action == "insert") arguments["image"] = command.words[2];
  return {.pattern = command.words[1],
          .operation = action,
          .text = action == "insert" ? "insert " + command.words[2] + " into" : "eject from",
          .arguments = std::move(arguments)};
}

Request request_of(const VerbCommand& command) {
  if (command.verb == "attach") return attach_request(command);
  return command.verb == "detach" ? detach_request(command) : media_request(command);
}

// `web01: vdb attached: now and from the next start`.
std::string device_line(const std::string& operation, const VmTarget& target, const json& result) {
  const char* done = operation == "detach"   ? "detached"
                     : operation == "insert" ? "inserted"
                     : operation == "eject"  ? "empty"
                                             : "attached";
  const bool now = result.value("now", false), next = result.value("next_start", false);
  return fmt::format("{}: {} {}{}: {}\n", target.name, visible(result.value("device", "")),
                     result.value("changed", true) ? "" : "already ", done,
                     now && next ? "now and from the next start"
                     : now       ? "now"
                                 : "from the next start");
}

}  // namespace

int vm_devices(const VerbCommand& command) {
  const Request request = request_of(command);
  const auto selection = select_machines(command.program, command.workers, request.pattern, Purpose::change);
  if (request.one_machine && selection.targets.size() > 1)
    throw Error(Code::refused, fmt::format("{} machines match: a disk that is written, or an address, is one machine's",
                                           selection.targets.size()));
  if (command.program.settings.flag("dry-run")) return show_plan(command, selection, request.text);
  return run_on_machines(
      command.program, command.workers, selection,
      {.name = request.operation,
       .arguments = [&](const VmTarget&) { return request.arguments; },
       .patience = std::chrono::milliseconds(request.arguments.value("patience_ms", 0)) + kUsualPatience,
       .line = [&](const VmTarget& target,
                   const json& result) { return device_line(request.operation, target, result); }});
}

}  // namespace muster::cli
