#include "cli/backup_findings.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/quantity.h"
#include "cli/backup_lease.h"
#include "cli/backup_point.h"
#include "cli/backup_progress.h"
#include "cli/terminal_text.h"

namespace muster::cli {
namespace {

constexpr std::int64_t kMaxParts = 10'000, kMaxWorkers = 256;

bool is_damage(const backup::Finding& finding) {
  return finding.kind != backup::FindingKind::not_indexed && finding.kind != backup::FindingKind::foreign;
}

std::string line_of(const backup::Finding& finding) {
  return fmt::format("{}: {}: {}", backup::name_of(finding.kind), finding.object, finding.what);
}

void tell_findings(const Program& program, const backup::CheckResult& result) {
  for (const auto& finding : result.findings) {
    if (is_damage(finding))
      program.console.err("muster backup: " + visible(line_of(finding)) + "\n");
    else
      program.ctx.note(line_of(finding));
  }
  if (result.findings_total > result.findings.size())
    program.ctx.warn(fmt::format("{} more findings are not shown", result.findings_total - result.findings.size()));
  for (const auto& [point, why] : result.broken_points)
    program.console.err(
        visible(fmt::format("muster backup: restore point {} cannot be restored whole: {}", short_id(point), why)) +
        "\n");
}

}  // namespace

std::optional<DataPart> data_part(const Settings& settings, std::string_view option) {
  if (!settings.given(option)) return std::nullopt;
  const auto text = settings.text(option);
  if (!text) return DataPart{};
  const std::size_t slash = text->find('/');
  if (slash == std::string::npos) settings.reject(option, "'" + *text + "': write N/M, as 1/7");
  const auto parts = base::parse_integer(std::string_view(*text).substr(slash + 1), 1, kMaxParts, "number of parts");
  const auto part = base::parse_integer(std::string_view(*text).substr(0, slash), 1, parts, "part");
  return DataPart{.part = static_cast<unsigned>(part), .parts = static_cast<unsigned>(parts)};
}

unsigned worker_count(const Settings& settings) {
  return static_cast<unsigned>(settings.integer("workers", 1, kMaxWorkers).value_or(0));
}

backup::CheckResult check_and_tell(const Program& program, const OpenedRepository& opened,
                                   const backup::CheckOptions& options) {
  backup::Progress progress;
  backup::CheckResult result;
  {
    const auto lease = hold_all(opened);
    const BackupProgress shown(program, "check", progress);
    result = backup::check(opened.context, opened.repository, options, progress);
  }
  tell_findings(program, result);
  if (!result.clean()) program.console.err("muster backup: damage found; `muster backup repair` mends what it can\n");
  return result;
}

}  // namespace muster::cli
