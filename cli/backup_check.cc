// muster backup check: whether the repository is whole.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/backup_commands.h"
#include "cli/backup_findings.h"
#include "cli/exit_status.h"
#include "cli/json_lines.h"
#include "cli/size_text.h"

namespace muster::cli {
namespace {

using backup::CheckDepth;
using backup::CheckOptions;
using backup::CheckResult;
using nlohmann::json;

CheckOptions options_of(const Settings& settings) {
  CheckOptions options{.workers = worker_count(settings)};
  const auto data = data_part(settings, "read-data");
  if (!data) return options;
  options.depth = CheckDepth::data;
  options.part = data->part;
  options.parts = data->parts;
  return options;
}

void send(const Program& program, const CheckResult& result) {
  for (const auto& finding : result.findings)
    program.console.out(json_line(
        "result", {{"finding", backup::name_of(finding.kind)}, {"object", finding.object}, {"what", finding.what}}));
  for (const auto& [point, why] : result.broken_points)
    program.console.out(
        json_line("result", {{"finding", "broken point"}, {"point", backup::hex(point)}, {"what", why}}));
}

}  // namespace

int backup_check(const BackupCommand& command) {
  const Program& program = command.program;
  if (program.settings.given("boot")) {
    if (program.settings.text("boot")) program.settings.reject("boot", "takes no name here: write the restore points");
    return backup_check_boot(command);
  }
  for (const char* option : {"boot-timeout", "cpus", "dry-run", "memory", "metrics", "reach", "scratch", "script"})
    if (program.settings.given_now(option)) program.settings.reject(option, "only with --boot");
  command.no_words();
  const CheckOptions options = options_of(program.settings);
  const CheckResult result = check_and_tell(program, open_repository(program), options);
  if (program.json()) send(program, result);
  if (result.clean())
    tell(program,
         fmt::format("{} restore points, {} objects, {} packs{}: no damage", result.points, result.objects,
                     result.packs, result.bytes_read == 0 ? "" : ", " + size_text(result.bytes_read) + " read"));
  return close_backup(program,
                      {{"findings", result.findings_total},
                       {"broken_points", result.broken_points.size()},
                       {"points", result.points},
                       {"objects", result.objects},
                       {"packs", result.packs},
                       {"bytes_read", result.bytes_read}},
                      result.clean() ? kAllWorked : kDamage);
}

}  // namespace muster::cli
