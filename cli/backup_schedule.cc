// muster backup schedule: backups at certain times, by cron or systemd. Writes what these read, and runs nothing
// itself.
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/child_process.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/backup_commands.h"
#include "cli/backup_create_order.h"
#include "cli/backup_repository.h"
#include "cli/cron_table.h"
#include "cli/environment.h"
#include "cli/exit_status.h"
#include "cli/json_lines.h"
#include "cli/systemd_units.h"
#include "cli/verb_table.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
namespace fs = std::filesystem;

constexpr const char* kCronDirectory = "/etc/cron.d";
constexpr const char* kDailyAtTwo = "*-*-* 02:00:00";
constexpr std::size_t kMaxTableBytes = 1U << 20;
constexpr std::chrono::seconds kProgramPatience{30};

bool is_root() { return ::geteuid() == 0; }

// --- what is run

std::string muster_program() {
  const fs::path own = fs::read_symlink("/proc/self/exe");
  for (const auto& candidate : {own.parent_path() / "muster", own.parent_path() / "../../bin/muster"})
    if (fs::exists(candidate)) return candidate.lexically_normal();
  return own;  // takes the same words after its name
}

// Parsed as it will be: a mistake is told now, and not at night.
CreateOrder check_create(const Program& program, const std::vector<std::string>& words) {
  std::vector<const char*> argv{"muster-backup", "create"};
  for (const auto& word : words) argv.push_back(word.c_str());
  const Arguments arguments = parse_arguments(program.command, static_cast<int>(argv.size()), argv.data());
  check_verb(program.command, arguments);
  const Settings settings(program.command, arguments, configuration_files());
  return create_order(settings, {arguments.words.begin() + 1, arguments.words.end()});
}

std::string absolute(const std::string& path) { return fs::absolute(path).lexically_normal(); }

// Names what this command would have found by itself: cron has another directory and other variables.
std::vector<std::string> command_of(const Program& program, const std::string& job,
                                    const std::vector<std::string>& words) {
  const Settings& settings = program.settings;
  const std::string repository = repository_name(program);
  std::vector<std::string> command{muster_program(), "backup", "create", "--quiet", "--job", job};
  command.insert(command.end(),
                 {"-R", repository.find("://") == std::string::npos ? absolute(repository) : repository});
  if (settings.given_now("inventory"))
    for (const auto& inventory : settings.list("inventory")) command.insert(command.end(), {"-i", absolute(inventory)});
  if (settings.given_now("connection")) command.insert(command.end(), {"-c", settings.text("connection").value()});
  if (settings.given_now("key-file"))
    command.insert(command.end(), {"--key-file", absolute(settings.text("key-file").value())});
  command.insert(command.end(), words.begin(), words.end());
  return command;
}

// --- where it is written

std::string run_program(const std::vector<std::string>& argv, const std::string& input) {
  base::ChildProcess child(argv);
  base::write_all(child.standard_input().get(), input);
  child.standard_input().reset();
  std::string out = base::read_to_end(child.standard_output().get(), kProgramPatience);
  const std::string err = base::read_to_end(child.standard_error().get(), kProgramPatience);
  if (child.wait(kProgramPatience).code == 0) return out;
  throw Error(Code::io, argv.front() + ": " + err);
}

std::string system_table(const std::string& job) { return fmt::format("{}/muster-{}", kCronDirectory, job); }

// One's own; empty where there is none, which is not where it cannot be read.
std::string own_table() {
  try {
    return run_program({"crontab", "-l"}, "");
  } catch (const Error& e) {
    if (std::string_view(e.what()).find("no crontab for") == std::string_view::npos) throw;
    return "";
  }
}

std::string unit_directory() {
  if (is_root()) return "/etc/systemd/system";
  return environment("XDG_CONFIG_HOME").value_or(home_directory() + "/.config") + "/systemd/user";
}

void tell_systemd(const Program& program, const std::vector<std::string>& words) {
  std::vector<std::string> argv{"systemctl"};
  if (!is_root()) argv.emplace_back("--user");
  argv.insert(argv.end(), words.begin(), words.end());
  if (!fs::exists("/run/systemd/system")) {
    program.ctx.note(fmt::format("systemd does not run here: later, {}", fmt::join(argv, " ")));
    return;
  }
  run_program(argv, "");
}

struct Written {
  std::string job, when, where, command;
};

std::vector<Written> written_jobs() {
  std::vector<Written> all;
  std::error_code unseen;
  if (is_root()) {
    for (const auto& entry : fs::directory_iterator(kCronDirectory, unseen))
      if (entry.path().filename().string().starts_with("muster-"))
        for (const auto& job : jobs_in(base::read_file(entry.path(), kMaxTableBytes), true))
          all.push_back({job.name, job.expression, entry.path(), job.command});
  } else {
    for (const auto& job : jobs_in(own_table(), false))
      all.push_back({job.name, job.expression, "crontab of " + user_name(), job.command});
  }
  for (const auto& entry : fs::directory_iterator(unit_directory(), unseen)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("muster-") || !name.ends_with(".timer")) continue;
    const std::string job = name.substr(7, name.size() - 7 - 6);
    all.push_back({job, calendar_of(base::read_file(entry.path(), kMaxTableBytes)), entry.path(), ""});
  }
  return all;
}

// --- the actions

int list(const Program& program) {
  const auto jobs = written_jobs();
  for (const auto& job : jobs) {
    if (program.json())
      program.console.out(
          json_line("result", {{"job", job.job}, {"when", job.when}, {"where", job.where}, {"command", job.command}}));
    else
      program.console.out(fmt::format("{}: {}, in {}{}{}\n", job.job, job.when, job.where,
                                      job.command.empty() ? "" : ": ", job.command));
  }
  return close_backup(program, {{"jobs", jobs.size()}}, kAllWorked);
}

int remove(const Program& program, const std::string& name) {
  const auto jobs = written_jobs();
  bool found = false;
  for (const auto& job : jobs) {
    if (job.job != name) continue;
    found = true;
    tell(program,
         fmt::format("{} {} out of {}", program.settings.flag("dry-run") ? "would take" : "took", name, job.where));
    if (program.settings.flag("dry-run")) continue;
    if (job.where.ends_with(".timer")) {
      tell_systemd(program, {"disable", "--now", "muster-" + name + ".timer"});
      for (const char* kind : {".timer", ".service"}) fs::remove(unit_directory() + "/muster-" + name + kind);
      tell_systemd(program, {"daemon-reload"});
    } else if (is_root()) {
      fs::remove(job.where);
    } else {
      run_program({"crontab", "-"}, without_job(own_table(), name));
    }
  }
  if (!found) throw Error(Code::not_found, "no job '" + name + "': muster backup schedule --list shows what there is");
  return close_backup(program, {{"job", name}}, kAllWorked);
}

int write_cron(const Program& program, const std::string& name, const std::vector<std::string>& command) {
  const std::string expression = program.settings.text("cron").value();
  check_cron_expression(expression);
  const CronJob job{
      .name = name, .expression = expression, .command = cron_command(command), .user = is_root() ? "root" : ""};
  const std::string where = is_root() ? system_table(name) : "crontab of " + user_name();
  const bool only_shown = program.settings.flag("print") || program.settings.flag("dry-run");
  if (only_shown)
    program.console.out(program.json() ? json_line("result", {{"where", where}, {"text", cron_block(job)}})
                                       : cron_block(job));
  else if (is_root())
    base::replace_file(where, with_job("", job), 0600);
  else
    run_program({"crontab", "-"}, with_job(own_table(), job));
  if (!only_shown) tell(program, fmt::format("{}: {}, in {}", name, expression, where));
  return close_backup(program, {{"job", name}}, kAllWorked);
}

int write_units(const Program& program, const std::string& name, const std::vector<std::string>& command) {
  const auto units = systemd_units({.job = name,
                                    .calendar = program.settings.text("systemd").value_or(kDailyAtTwo),
                                    .directory = fs::current_path(),
                                    .words = command});
  const std::string stem = unit_directory() + "/muster-" + name;
  if (program.settings.flag("print") || program.settings.flag("dry-run")) {
    for (const auto& [kind, text] : {std::pair(".service", units.service), std::pair(".timer", units.timer)})
      program.console.out(program.json() ? json_line("result", {{"where", stem + kind}, {"text", text}})
                                         : fmt::format("# {}{}\n{}\n", stem, kind, text));
    return close_backup(program, {{"job", name}}, kAllWorked);
  }
  fs::create_directories(unit_directory());
  base::replace_file(stem + ".service", units.service, 0600);
  base::replace_file(stem + ".timer", units.timer, 0644);
  tell_systemd(program, {"daemon-reload"});
  tell_systemd(program, {"enable", "--now", "muster-" + name + ".timer"});
  tell(program, fmt::format("{}: {}.timer", name, stem));
  return close_backup(program, {{"job", name}}, kAllWorked);
}

}  // namespace

int backup_schedule(const BackupCommand& command) {
  const Program& program = command.program;
  const Settings& settings = program.settings;
  if (settings.flag("list")) {
    command.no_words();
    return list(program);
  }
  const std::string name = settings.text("name").value_or("");
  check_job_name(name);
  if (settings.flag("remove")) {
    command.no_words();
    return remove(program, name);
  }
  if (settings.given("cron") == settings.given("systemd"))
    throw Error(Code::usage, "write --cron EXPRESSION or --systemd: when it is to run");
  if (command.words.empty()) command.explain();
  const CreateOrder order = check_create(program, command.words);
  auto words = command_of(program, name, command.words);
  if (!order.machines.empty() && order.audit_parts == 0) words.emplace_back("--audit");
  return settings.given("cron") ? write_cron(program, name, words) : write_units(program, name, words);
}

}  // namespace muster::cli
