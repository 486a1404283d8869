// muster backup serve: a disk of a restore point as an NBD export, until the user has had enough.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backup/restore_point.h"
#include "base/error.h"
#include "cli/backup_commands.h"
#include "cli/backup_export.h"
#include "cli/backup_point.h"
#include "cli/backup_repository.h"
#include "cli/exit_status.h"
#include "cli/json_lines.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

struct Place {
  std::string socket;
  std::optional<std::uint16_t> port;
};

Place place_of(const Settings& settings) {
  const auto socket = settings.text("socket");
  const auto port = settings.given_now("port") ? settings.integer("port", 1, 65535) : std::nullopt;
  if (socket.has_value() == port.has_value())
    throw Error(Code::usage, "write --socket PATH or --port N: where to listen");
  if (socket && socket->empty()) settings.reject("socket", "a path is wanted");
  return {socket.value_or(""), port ? std::optional(static_cast<std::uint16_t>(*port)) : std::nullopt};
}

void show(const Program& program, const DiskExport& served, const std::string& disk) {
  if (!program.json()) return program.console.out(served.uri() + "\n");
  program.console.out(
      json_line("result", {{"uri", served.uri()}, {"disk", disk}, {"size_bytes", served.size_bytes()}}));
}

int show_plan(const Program& program, const backup::DiskPoint& disk) {
  const std::string what = fmt::format("serve {}, {} bytes{}", disk.disk, disk.map.size_bytes,
                                       program.settings.flag("overlay") ? ", with an overlay for what is written" : "");
  return close_plan(program, "serve", what);
}

}  // namespace

int backup_serve(const BackupCommand& command) {
  const Program& program = command.program;
  if (program.settings.given("boot")) return backup_serve_boot(command, program.settings.text("boot").value_or(""));
  for (const char* option : {"limit-rate", "same-identity", "scratch", "to"})
    if (program.settings.given_now(option)) program.settings.reject(option, "only with --boot");
  const PointWord word = parse_point_word(command.only_word());
  if (word.path) throw Error(Code::usage, "a disk is served as a whole: write " + word.point + ":DISK");
  const Place place = place_of(program.settings);
  const auto opened = open_repository(program);
  const auto points = backup::list_points(opened.context, opened.repository);
  const auto& listed = find_point(points, word.point);
  const auto& disk = find_disk(listed, word.disk);
  if (program.settings.flag("dry-run")) return show_plan(program, disk);
  using enum ExportOptions::Writes;
  DiskExport served(opened.context, opened.repository,
                    {.point = listed.point.id,
                     .disk = disk.disk,
                     .socket = place.socket,
                     .port = place.port,
                     .writes = program.settings.flag("overlay") ? forgotten : refused});
  show(program, served, disk.disk);
  served.wait(opened.context);
  // To be interrupted is how it ends.
  return close_backup(program, json::object(), kAllWorked);
}

}  // namespace muster::cli
