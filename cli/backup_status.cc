// muster backup status: who has a good restore point that is young enough. For monitoring: the exit status says it all.
#include <algorithm>
#include <map>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backup/rfc3339.h"
#include "backup/settle.h"
#include "base/error.h"
#include "base/quantity.h"
#include "cli/backup_commands.h"
#include "cli/backup_point.h"
#include "cli/backup_points.h"
#include "cli/exit_status.h"
#include "cli/json_lines.h"
#include "cli/text_table.h"

namespace muster::cli {
namespace {

using backup::ListedPoint;
using backup::PointState;
using base::Code;
using base::Error;
using std::chrono::sys_seconds;

constexpr std::chrono::hours kMaxAge{26};

// When it was made, whatever the clock of the machine that made it said: one that is ahead does not keep it young.
sys_seconds made(const ListedPoint& listed) { return std::min(listed.point.time, listed.stored); }

// The newest good one of each name; nullopt where a name has none.
using Newest = std::map<std::string, std::optional<ListedPoint>>;

Newest newest_of(const OpenedRepository& opened, const std::function<bool(const std::string&)>& matches) {
  const auto& [ctx, repository] = opened;
  const auto unreadable = [&ctx](const std::string&, const Error& why) {
    if (why.code() != Code::key) ctx.warn(why.what());
  };
  Newest newest;
  for (const auto& listed : backup::list_all_points(ctx, repository, unreadable)) {
    if (!matches(listed.point.name)) continue;
    auto& known = newest[listed.point.name];
    const bool good = listed.state == PointState::confirmed && listed.trusted;
    if (good && (!known || made(*known) <= made(listed))) known = listed;
  }
  return newest;
}

struct Verdict {
  std::string state = "none";
  std::optional<std::chrono::seconds> age{};
};

// What check found damaged, and repair told everybody of, takes chunks away from points; without that nothing is read.
class KnownDamage {
 public:
  explicit KnownDamage(const OpenedRepository& opened) : opened_(opened) {
    if (!backup::read_damaged(opened.context, opened.repository).empty())
      index_ = backup::Index::load(opened.context, opened.repository);
  }
  bool is_in(const ListedPoint& listed) const {
    return index_ && !backup::relies_on_what_stays(opened_.context, opened_.repository, *index_, listed.point);
  }

 private:
  const OpenedRepository& opened_;
  std::unique_ptr<backup::Index> index_;
};

Verdict judge(const std::optional<ListedPoint>& newest, std::chrono::milliseconds max_age, const KnownDamage& damage) {
  if (!newest) return {};
  const auto age = std::max(backup::now() - made(*newest), std::chrono::seconds(0));
  return {.state = damage.is_in(*newest) ? "damaged" : age > max_age ? "stale" : "ok", .age = age};
}

nlohmann::json fields_of(const std::string& name, const std::optional<ListedPoint>& newest, const Verdict& verdict) {
  nlohmann::json fields = {{"name", name}, {"state", verdict.state}, {"point", nullptr}, {"age", nullptr}};
  if (!newest) return fields;
  fields["point"] = backup::hex(newest->point.id);
  fields["time"] = backup::rfc3339(newest->point.time);
  fields["age"] = verdict.age->count();
  return fields;
}

// Nobody has anything to go back to, or somebody has not, or not what is young enough.
int status_of(const Newest& newest, std::size_t ok) {
  if (std::none_of(newest.begin(), newest.end(), [](const auto& entry) { return entry.second.has_value(); }))
    return kNothingWorked;
  return ok == newest.size() ? kAllWorked : kPartFailed;
}

}  // namespace

int backup_status(const BackupCommand& command) {
  const Program& program = command.program;
  if (command.words.size() > 1) command.explain();
  const std::string glob = command.words.empty() ? "" : command.words.front();
  const auto max_age = program.settings.duration("max-age").value_or(kMaxAge);
  const auto opened = open_repository(program);
  const Newest newest = newest_of(opened, name_glob(glob));
  const KnownDamage damage(opened);
  if (newest.empty() && !glob.empty()) throw Error(Code::usage, "no restore point's name matches '" + glob + "'");
  TextTable table({"NAME", "STATE", "AGE", "POINT", "TIME"});
  std::size_t ok = 0;
  for (const auto& [name, point] : newest) {
    const Verdict verdict = judge(point, max_age, damage);
    ok += verdict.state == "ok" ? 1U : 0U;
    if (program.json()) program.console.out(json_line("result", fields_of(name, point, verdict)));
    if (program.quiet() && verdict.state == "ok") continue;
    table.add_row({name, verdict.state, verdict.age ? base::format_duration(*verdict.age) : "",
                   point ? short_id(point->point.id) : "", point ? local_time(point->point.time) : ""});
  }
  if (!program.json()) program.console.out(table.text());
  if (newest.empty()) program.ctx.warn("the repository has no restore points");
  return close_backup(program, {{"ok", ok}, {"stale", newest.size() - ok}}, status_of(newest, ok));
}

}  // namespace muster::cli
