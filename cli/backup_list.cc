// muster backup list, show.
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/quantity.h"
#include "cli/backup_area.h"
#include "cli/backup_commands.h"
#include "cli/backup_json.h"
#include "cli/backup_point.h"
#include "cli/backup_points.h"
#include "cli/json_lines.h"
#include "cli/size_text.h"
#include "cli/terminal_text.h"
#include "cli/text_table.h"

namespace muster::cli {
namespace {

using backup::ListedPoint;
using base::Code;
using base::Error;

std::string joined(const auto& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ",") + word;
  return text;
}

// Words that mean restore points, for a shell that completes one.
std::string names_text(const std::vector<ListedPoint>& points) {
  std::string text;
  std::map<std::string, bool> named;
  for (const auto& listed : points)
    if (named.emplace(listed.point.name, true).second) text += visible(listed.point.name) + "@latest\n";
  const std::size_t digits = digits_needed(points);
  for (const auto& listed : points)
    text += fmt::format("{}@{}\n{}\n", visible(listed.point.name), local_time(listed.point.time),
                        short_id(listed.point.id, digits));
  return text;
}

// Of the last try to boot it.
std::string boot_text(const backup::BootRecord* boot) {
  if (boot == nullptr) return "";
  return boot->booted ? boot->reached_last() : "failed";
}

std::vector<std::string> row_of(const LabelledPoints& found, const ListedPoint& listed, std::size_t digits) {
  const auto& point = listed.point;
  const backup::Labels labels = found.labels(listed);
  return {short_id(point.id, digits),   point.name,
          local_time(point.time),       size_text(point.size_bytes()),
          size_text(point.bytes_new),   size_text(point.bytes_stored),
          joined(labels.tags),          labels.pinned ? "yes" : "",
          boot_text(found.boot(listed))};
}

// `booted at 2026-11-28T02:00:00: firmware after 1s, agent after 12s`.
std::string boot_details(const backup::BootRecord& boot) {
  std::string text =
      fmt::format("{} at {} on {}", boot.booted ? "booted" : "did not boot", local_time(boot.time), boot.hypervisor);
  const char* separator = ": ";
  for (const auto& stage : boot.reached) {
    text += fmt::format("{}{} after {}", separator, stage.stage, base::format_duration(stage.after));
    separator = ", ";
  }
  return boot.failure.empty() ? text : text + "; " + boot.failure;
}

std::string details(const LabelledPoints& found, const ListedPoint& listed) {
  const auto& point = listed.point;
  const backup::Labels labels = found.labels(listed);
  std::string text;
  const auto line = [&](const char* what, const std::string& value) {
    text += fmt::format("{:<13}{}\n", std::string(what) + ":", value.empty() ? "-" : visible(value));
  };
  line("point", backup::hex(point.id));
  line("name", point.name);
  line("time", local_time(point.time));
  line("made by", listed.host + ", with " + point.tool);
  line("consistency", point.consistency);
  line("compared to", point.parent ? backup::hex(*point.parent) : "");
  line("tags", joined(labels.tags));
  line("pinned", labels.pinned ? "yes" : "no");
  if (const auto* boot = found.boot(listed)) line("boot", boot_details(*boot));
  line("size", size_text(point.size_bytes()));
  line("read",
       fmt::format("{} of {} that may have changed", size_text(point.bytes_read), size_text(point.bytes_dirty)));
  line("new", fmt::format("{}, stored in {}", size_text(point.bytes_new), size_text(point.bytes_stored)));
  line("took", base::format_duration(point.duration));
  if (point.machine) line("machine", point.machine->uuid + " on " + point.machine->hypervisor);
  for (const auto& disk : point.disks) {
    line("disk", fmt::format("{}, {} ({} bytes), {} {}", disk.disk, size_text(disk.map.size_bytes), disk.map.size_bytes,
                             disk.format, disk.source));
    if (!disk.whole_because.empty()) line("read whole", disk.whole_because);
    if (disk.proved) line("proved", local_time(*disk.proved));
  }
  if (point.area) {
    const auto& area = *point.area;
    line("area", area.host.empty() ? area.path : area.host + ":" + area.path);
    line("files", fmt::format("{}, of {} entries", area.files, area.entries));
    if (!area.excludes.empty()) line("without", joined(area.excludes));
    if (area.changed != 0) line("changed", fmt::format("{} files while they were read", area.changed));
    if (area.unread != 0) line("not read", std::to_string(area.unread));
    if (area.skipped != 0) line("sockets", std::to_string(area.skipped));
  }
  for (const auto& part : point.parts) line("part", fmt::format("{}, {}", part.part, size_text(part.map.size_bytes)));
  return text;
}

}  // namespace

int backup_list(const BackupCommand& command) {
  const Program& program = command.program;
  if (command.words.size() > 1) command.explain();
  const auto matches = name_glob(command.words.empty() ? "" : command.words.front());
  auto found = read_points(open_repository(program));
  const std::size_t digits = digits_needed(found.points);
  std::erase_if(found.points, [&](const ListedPoint& listed) { return !matches(listed.point.name); });
  if (!command.words.empty() && found.points.empty())
    throw Error(Code::usage, "no restore point's name matches '" + command.words.front() + "'");
  TextTable table({"POINT", "NAME", "TIME", "SIZE", "NEW", "STORED", "TAGS", "PIN", "BOOT"});
  for (const auto& listed : found.points) {
    if (program.json())
      program.console.out(json_line("result", point_json(listed, found.labels(listed), found.boot(listed))));
    else
      table.add_row(row_of(found, listed, digits));
  }
  if (!program.json()) program.console.out(program.settings.flag("names") ? names_text(found.points) : table.text());
  return close_backup(program, {{"points", found.points.size()}}, 0);
}

int backup_show(const BackupCommand& command) {
  const Program& program = command.program;
  if (command.words.empty() || command.words.size() > 2) command.explain();
  const PointWord word = parse_point_word(command.words.front());
  if (word.disk || word.path) command.explain();
  const auto opened = open_repository(program);
  const auto found = read_points(opened);
  const ListedPoint& listed = find_point(found.points, word.point);
  if (command.words.size() == 2) {
    if (!listed.point.area)
      throw Error(Code::usage,
                  "restore point " + short_id(listed.point.id) + " is of disks: its files are listed by ls");
    return show_area_files({program, opened, listed}, command.words.back());
  }
  if (program.json())
    program.console.out(json_line("result", point_json(listed, found.labels(listed), found.boot(listed))));
  else
    program.console.out(details(found, listed));
  return close_backup(program, nlohmann::json::object(), 0);
}

}  // namespace muster::cli
