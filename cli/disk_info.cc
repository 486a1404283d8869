// muster disk info: what an image is, or the disk of a machine.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/disk_commands.h"
#include "cli/disk_target.h"
#include "cli/image_format.h"
#include "cli/json_lines.h"
#include "cli/size_text.h"
#include "cli/terminal_text.h"
#include "cli/vm_run.h"
#include "disk/image_claim.h"
#include "disk/image_file.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

json to_json(const disk::ImageFacts& facts) {
  json chain = json::array(), bitmaps = json::array();
  for (const auto& backing : facts.backing_chain) chain.push_back({{"path", backing.path}, {"format", backing.format}});
  for (const auto& bitmap : facts.bitmaps)
    bitmaps.push_back({{"name", bitmap.name}, {"records", bitmap.records}, {"in_use", bitmap.in_use}});
  return {{"format", disk::name_of(facts.format)},
          {"capacity_bytes", facts.virtual_size_bytes},
          {"allocation_bytes", facts.allocated_bytes},
          {"backing_chain", std::move(chain)},
          {"bitmaps", std::move(bitmaps)},
          {"snapshots", facts.snapshots}};
}

std::string size_line(const json& fields) {
  const auto size = [&](const char* name) {
    return fields.at(name).is_number() ? std::optional(fields[name].get<std::uint64_t>()) : std::nullopt;
  };
  const auto capacity = size("capacity_bytes"), taken = size("allocation_bytes");
  return fmt::format("{} as its guest sees it, {} taken", capacity ? exact_size_text(*capacity) : "size unknown",
                     taken ? size_text(*taken) : "unknown how much");
}

std::string text_of(const std::string& path, const json& result) {
  std::string text = fmt::format("{}: {}, {}\n", visible(path), result.value("format", ""), size_line(result));
  for (const auto& backing : result.at("backing_chain"))
    text += fmt::format("  on {} ({})\n", visible(backing.value("path", "")), visible(backing.value("format", "")));
  if (const auto snapshots = result.value("snapshots", std::size_t{0}); snapshots > 0)
    text += fmt::format("  {} snapshots inside\n", snapshots);
  for (const auto& bitmap : result.at("bitmaps"))
    text += fmt::format("  bitmap {}{}\n", visible(bitmap.value("name", "")),
                        bitmap.value("in_use", false) ? ", in use" : "");
  if (result.contains("claim"))
    text += fmt::format("  belongs to {}, and may not change\n", visible(result.value("claim", "")));
  return text;
}

int info_of_file(const VerbCommand& command, const std::string& path) {
  const Program& program = command.program;
  const HostNames names{path};
  UnitRun run(program, names, kImages, Closing::failures_only);
  const auto work = [&](std::size_t) {
    const auto format = disk::image_format_of(path, image_format(program.settings, "format"));
    json result = to_json(disk::image_facts(program.ctx, path, format));
    if (const auto claim = disk::claim_beside(path)) result["claim"] = disk::claim_holder(*claim);
    if (!program.json()) program.console.out(text_of(path, result));
    return result;
  };
  return run_on_units(program, run, [&](std::size_t) { return json{{"image", path}}; }, {.run = work});
}

json wanted_disk(const json& machine, const std::string& name) {
  std::string has;
  for (const auto& disk : machine.at("disks")) {
    if (disk.value("target", "") == name) return disk;
    has += (has.empty() ? "" : ", ") + disk.value("target", "");
  }
  throw Error(Code::usage, fmt::format("'{}' has no disk {}: it has {}", machine.value("name", ""), name,
                                       has.empty() ? "none at all" : has));
}

std::string machine_line(const VmTarget& target, const json& disk) {
  return fmt::format("{}:{}: {}, {}, {} at {}\n", target.name, visible(disk.value("target", "")),
                     visible(disk.value("format", "")), size_line(disk), visible(disk.value("source", "")),
                     visible(disk.value("bus", "")));
}

int info_of_machines(const VerbCommand& command, const DiskTarget& wanted) {
  if (command.program.settings.given_now("format"))
    command.program.settings.reject("format", "a machine's definition tells it: only of images by their paths");
  const auto selection = select_machines(command.program, command.workers, wanted.pattern, Purpose::look);
  return run_on_machines(command.program, command.workers, selection,
                         {.name = "info",
                          .arguments = {},
                          .patience = kUsualPatience,
                          .line = machine_line,
                          .closing = Closing::failures_only,
                          .shown = [&](const json& machine) { return wanted_disk(machine, wanted.disk); }});
}

}  // namespace

int disk_info(const VerbCommand& command) {
  const DiskTarget target = parse_disk_target(command.only_word());
  return target.is_file() ? info_of_file(command, target.path) : info_of_machines(command, target);
}

}  // namespace muster::cli
