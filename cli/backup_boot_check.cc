// muster backup check --boot: restore points that are booted for a try, each from an NBD export with an overlay that is
// thrown away, on a network that leads nowhere.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backup/boot_record.h"
#include "backup/point_part.h"
#include "backup/rfc3339.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/quantity.h"
#include "cli/backup_commands.h"
#include "cli/backup_json.h"
#include "cli/backup_point.h"
#include "cli/backup_restoration.h"
#include "cli/boot_export.h"
#include "cli/boot_metrics.h"
#include "cli/boot_order.h"
#include "cli/exit_status.h"
#include "cli/hypervisor_workers.h"
#include "cli/json_lines.h"
#include "cli/machine_source.h"
#include "cli/terminal_text.h"
#include "cli/version.h"
#include "cli/vm_run.h"
#include "cli/vm_selection.h"

namespace muster::cli {
namespace {

using backup::BootRecord;
using backup::ListedPoint;
using base::Code;
using base::Error;
using nlohmann::json;
using std::chrono::milliseconds;

constexpr std::string_view kNamePrefix = "muster-check-";
constexpr std::chrono::minutes kScriptPatience{5};
// For the start and the end of the machine, beyond what it is given for booting.
constexpr std::chrono::minutes kAround{2};

// --- one try

BootRecord record_of(const json& outcome) {
  BootRecord record{.time = {},
                    .booted = outcome.at("booted"),
                    .wanted = {},
                    .reached = {},
                    .failure = outcome.at("failure"),
                    .duration = milliseconds(outcome.at("duration_ms").get<std::int64_t>()),
                    .hypervisor = {},
                    .tool = fmt::format("muster {}", kVersion)};
  for (const auto& step : outcome.at("reached"))
    record.reached.push_back({step.at("stage"), milliseconds(step.at("after_ms").get<std::int64_t>())});
  if (outcome.contains("script_status")) record.script_status = outcome["script_status"].get<int>();
  return record;
}

class BootCheck {
 public:
  explicit BootCheck(const Program& program)
      : program_(program),
        order_(boot_order(program.settings)),
        uri_(connection_uri(program.settings)),
        opened_(open_repository(program)),
        // A first Ctrl-C ends a try, with its worker.
        workers_(opened_.context, connect_patience(program.settings)),
        points_(backup::list_points(opened_.context, opened_.repository)) {
    check_may_read(opened_);
    check_is_on_this_host({.name = uri_, .uri = uri_, .domain = ""});
  }

  int run(const std::vector<std::string>& words) {
    const auto chosen = choose_bootable(points_, words);
    if (program_.settings.flag("dry-run")) return plan(chosen);
    try {
      prepare();
      index_ = backup::Index::load(opened_.context, opened_.repository);
      for (const auto* listed : chosen) try_one(*listed);
    } catch (const Error& e) {
      for (std::size_t i = outcomes_.size(); i < chosen.size(); ++i) note_failure(*chosen[i], e);
      write_metrics();
      throw;
    }
    write_metrics();
    const std::size_t failed = chosen.size() - booted_;
    tell(program_, fmt::format("{} of {} booted", booted_, chosen.size()));
    return close_backup(program_, {{"booted", booted_}, {"failed", failed}},
                        failed == 0    ? kAllWorked
                        : booted_ == 0 ? kNothingWorked
                                       : kPartFailed);
  }

 private:
  int plan(const std::vector<const ListedPoint*>& chosen) const {
    for (const auto* listed : chosen) {
      const std::string what =
          fmt::format("boot {} for a try on {}, until {}", label(*listed), uri_, order_.goal.text());
      tell(program_, "would " + what);
      if (program_.json())
        program_.console.out(json_line("result", {{"plan", "check"},
                                                  {"what", what},
                                                  {"name", listed->point.name},
                                                  {"point", backup::hex(listed->point.id)}}));
    }
    return close_backup(program_, {{"plan", "check"}}, kAllWorked);
  }

  void write_metrics() const {
    if (const auto path = program_.settings.text("metrics")) write_boot_metrics(*path, outcomes_);
  }
  // For the metrics alone.
  void note_failure(const ListedPoint& listed, const Error& e) {
    BootRecord record{.time = backup::now(), .wanted = {}, .reached = {}, .hypervisor = {}, .tool = {}};
    record.failure = e.what();
    outcomes_.push_back({listed.point.name, std::move(record)});
  }

  // Of the hypervisor, and what killed tries left there and here.
  void prepare() {
    const json facts = workers_.call(uri_, "boot_prepare", json::object(), kUsualPatience);
    hypervisor_ = facts.at("hypervisor");
    if (facts.contains("emulator")) owner_ = {facts["emulator"].at("user"), facts["emulator"].at("group")};
    for (const auto& name : facts.at("ended"))
      program_.ctx.note(fmt::format("{}: a try that was cut short: ended", name.get<std::string>()));
    place_ = boot_place(program_.settings, owner_);
    remove_left_directories(place_, kNamePrefix);
  }

  void try_one(const ListedPoint& listed) {
    opened_.context.check_stop();
    try {
      const auto began = backup::now();
      const json outcome = boot(listed);
      BootRecord record = record_of(outcome);
      record.time = began;
      record.wanted = order_.goal.text();
      record.hypervisor = hypervisor_;
      booted_ += record.booted ? 1U : 0U;
      show(listed, record, outcome);
      outcomes_.push_back({listed.point.name, record});
      keep(listed, record);
    } catch (const Error& e) {
      if (e.code() == Code::cancelled || e.code() == Code::unreachable) throw;
      // Not the restore point's fault, as far as can be told: nothing is noted of it.
      complain(listed, std::string("could not be tried: ") + e.what());
      note_failure(listed, e);
      if (program_.json())
        program_.console.out(json_line("result", {{"name", listed.point.name},
                                                  {"point", backup::hex(listed.point.id)},
                                                  {"booted", false},
                                                  {"failure", e.what()}}));
    }
  }

  void keep(const ListedPoint& listed, const BootRecord& record) const {
    try {
      backup::put_boot_record(opened_.context, opened_.repository, listed.point.id, record);
    } catch (const Error& e) {
      if (e.code() == Code::cancelled) throw;
      program_.ctx.warn(std::string("what came of it is not kept: ") + e.what());
    }
  }

  json boot(const ListedPoint& listed) {
    const std::string name = std::string(kNamePrefix) + base::hex(base::random_bytes(4));
    const BootDirectory directory(place_, name);
    const BootExport served(opened_, listed.point, directory,
                            {.writes = ExportOptions::Writes::forgotten, .owner = owner_});
    json disks = json::array();
    for (const auto& [disk, socket] : served.sockets()) disks.push_back({{"target", disk}, {"socket", socket}});
    const json wanted{{"name", name},
                      {"domain_xml", base::as_text(part(listed, "domain.xml"))},
                      {"variables", variables(listed, directory)},
                      {"disks", std::move(disks)},
                      {"memory_bytes", order_.memory_bytes},
                      {"cpus", order_.cpus},
                      {"goal", order_.goal.text()},
                      {"patience_ms", order_.patience.count()},
                      {"script", order_.script},
                      {"script_patience_s", std::chrono::seconds(kScriptPatience).count()}};
    const auto patience = order_.patience + kScriptPatience + kAround;
    const json outcome = workers_.call(uri_, "boot_try", wanted, patience, [&](const json& step) {
      program_.console.progress(visible(listed.point.name + ": " + step.at("stage").get<std::string>()));
    });
    program_.console.progress("");
    return outcome;
  }

  base::Bytes part(const ListedPoint& listed, const char* name) const {
    return backup::read_part(opened_.context, opened_.repository, *index_, listed.point, name);
  }
  // What the firmware kept, in a file of the try's own; empty: there is none.
  std::string variables(const ListedPoint& listed, const BootDirectory& directory) const {
    for (const auto& each : listed.point.parts)
      if (each.part == "nvram") return directory.put_file("nvram.fd", base::as_text(part(listed, "nvram")));
    return "";
  }

  void show(const ListedPoint& listed, const BootRecord& record, const json& outcome) const {
    if (record.booted)
      tell(program_, fmt::format("{}: booted, {} after {}", label(listed), record.reached_last(),
                                 base::format_duration(record.reached.back().after)));
    else
      complain(listed, fmt::format("did not boot: {}; it reached {}{}", record.failure, record.reached_last(),
                                   details(outcome)));
    if (!program_.json()) return;
    json fields = boot_json(record);
    fields["name"] = listed.point.name;
    fields["point"] = backup::hex(listed.point.id);
    for (const char* text : {"script_output", "console_end"}) fields[text] = outcome.at(text);
    program_.console.out(json_line("result", std::move(fields)));
  }
  // What the script or the console said.
  static std::string details(const json& outcome) {
    const std::string script = outcome.at("script_output"), console = outcome.at("console_end");
    if (!script.empty()) return "; the script said: " + script;
    return console.empty() ? "" : "; its console ended with: " + console;
  }
  void complain(const ListedPoint& listed, const std::string& what) const {
    program_.console.err("muster backup: " + visible(label(listed) + ": " + what) + "\n");
  }
  static std::string label(const ListedPoint& listed) {
    return fmt::format("{} ({} of {})", listed.point.name, short_id(listed.point.id), local_time(listed.point.time));
  }

  const Program& program_;
  const BootOrder order_;
  const std::string uri_;
  const OpenedRepository opened_;
  HypervisorWorkers workers_;
  const std::vector<ListedPoint> points_;
  std::unique_ptr<backup::Index> index_;
  std::optional<SocketOwner> owner_;
  std::string hypervisor_, place_;
  std::vector<BootOutcomeOf> outcomes_;
  std::size_t booted_ = 0;
};

}  // namespace

int backup_check_boot(const BackupCommand& command) { return BootCheck(command.program).run(command.words); }

}  // namespace muster::cli
