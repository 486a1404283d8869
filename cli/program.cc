#include "cli/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/error.h"
#include "cli/exit_status.h"
#include "cli/json_lines.h"
#include "cli/terminal_text.h"
#include "cli/version.h"
#include "parallel-ssh/fleet.h"

namespace muster::cli {
namespace {

// Notes and warnings to standard error, one line each.
class ConsoleEvents : public base::EventSink {
 public:
  ConsoleEvents(Console& console, std::string name, bool quiet)
      : console_(console), name_(std::move(name)), quiet_(quiet) {}
  void message(base::Severity severity, const std::string& text) override {
    if (quiet_ && severity == base::Severity::note) return;
    const char* label = severity == base::Severity::warning ? "warning: " : "";
    console_.err(fmt::format("muster {}: {}{}\n", name_, label, visible(text)));
  }

 private:
  Console& console_;
  std::string name_;
  bool quiet_;
};

// `--json` promises a summary as the last line, also when nothing was started.
void report_error(Console& console, std::string_view name, const std::string& text, int status, bool json) {
  console.err(fmt::format("muster {}: {}\n", name, visible(text)));
  if (!json) return;
  console.out(json_line("error", {{"error", text}}));
  console.out(json_line("summary", {{"exit", status}}));
}

// A descriptor opened later must not become standard output by its number: what hosts print would go into it. For
// writing only, so that closed standard input stays an error.
void occupy_standard_streams() {
  for (int fd = 0; fd >= 0 && fd <= STDERR_FILENO;) {
    fd = ::open("/dev/null", O_WRONLY);
    if (fd > STDERR_FILENO) ::close(fd);
  }
}

// The status of a command whose output did not get where it should.
int judge_output(Console& console, std::string_view name, int status) {
  const auto error = console.output_error();
  if (!error || status == kInterrupted) return status;
  report_error(console, name, error->what(), exit_status(error->code()), false);
  return exit_status(error->code());
}

bool asks_for_json(int argc, char** argv) {
  for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i)
    if (std::string_view(argv[i]) == "--json") return true;
  return false;
}

}  // namespace

int run_program(std::string_view name, int argc, char** argv, const std::function<int(Program&)>& body) {
  occupy_standard_streams();
  ssh::prepare_process_for_many_threads();
  const CommandRow& command = *find_command(name);
  const bool json = asks_for_json(argc, argv);
  Interrupts interrupts;
  Console console(interrupts.abort());
  console.on_broken([&](const std::string&) { interrupts.give_up(); });
  try {
    const Arguments arguments = parse_arguments(command, argc, argv);
    if (arguments.options.contains("help")) return console.out(help_text(command, arguments.words)), kAllWorked;
    if (arguments.options.contains("version")) return console.out(fmt::format("muster {}\n", kVersion)), kAllWorked;
    check_verb(command, arguments);
    const Settings settings(command, arguments, configuration_files());
    ConsoleEvents events(console, std::string(name), settings.flag("quiet"));
    const base::Context ctx{.stop = interrupts.abort(), .events = &events};
    for (const auto& note : arguments.notes) ctx.note(note);
    Program program{command, arguments, settings, console, interrupts, ctx};
    return judge_output(console, name, body(program));
  } catch (const base::Error& e) {
    const int status = interrupts.interrupted() ? kInterrupted : exit_status(e);
    report_error(console, name, e.what(), status, json);
    return status;
  } catch (const std::exception& e) {
    report_error(console, name, std::string("internal error: ") + e.what(), kNothingWorked, json);
    return kNothingWorked;
  }
}

}  // namespace muster::cli
