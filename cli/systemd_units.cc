#include "cli/systemd_units.h"

#include <sstream>
#include <string_view>

#include <fmt/format.h>

#include "base/error.h"

namespace muster::cli {
namespace {

constexpr std::string_view kCalendar = "OnCalendar=";

void check_line(const std::string& text) {
  if (text.find_first_of("\n\r") != std::string::npos)
    throw base::Error(base::Code::usage, "a line of a unit has no newline in it");
}

// systemd.service(5), "Command lines": specifiers, variables and quotes.
std::string quoted_for_systemd(const std::string& word) {
  check_line(word);
  std::string text = "\"";
  for (const char c : word) {
    if (c == '%' || c == '$') text += c;
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + "\"";
}

}  // namespace

SystemdUnits systemd_units(const SystemdJob& job) {
  check_line(job.calendar);
  check_line(job.directory);
  std::string directory;
  for (const char c : job.directory) directory += c == '%' ? std::string("%%") : std::string(1, c);
  std::string command;
  for (const auto& word : job.words) command += (command.empty() ? "" : " ") + quoted_for_systemd(word);
  // Workers end what they began when muster does: the signal is for that alone.
  return {.service = fmt::format("# changed by muster backup schedule\n[Unit]\nDescription=muster job {}\n"
                                 "Wants=network-online.target\nAfter=network-online.target libvirtd.service\n\n"
                                 "[Service]\nType=oneshot\nWorkingDirectory={}\nExecStart={}\nKillMode=mixed\n"
                                 "TimeoutStopSec=90\nNice=10\nIOSchedulingClass=best-effort\nIOSchedulingPriority=7\n",
                                 job.job, directory, command),
          .timer = fmt::format("# changed by muster backup schedule\n[Unit]\nDescription=muster job {}\n\n[Timer]\n"
                               "{}{}\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n",
                               job.job, kCalendar, job.calendar)};
}

std::string calendar_of(const std::string& timer) {
  std::istringstream lines(timer);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(kCalendar)) return line.substr(kCalendar.size());
  return "";
}

}  // namespace muster::cli
