// muster run: a command or a script on many hosts.
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/connect_options.h"
#include "cli/environment.h"
#include "cli/exit_status.h"
#include "cli/fleet_run.h"
#include "cli/json_lines.h"
#include "cli/run_prompt.h"
#include "parallel-ssh/input_source.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kMaxScriptBytes = 64U << 20;
constexpr int kStopCheckMs = 200;

// What the words and options ask for, before any host is looked at.
struct Order {
  ssh::RunRequest request;
  std::unique_ptr<ssh::InputSource> input;  // request.input
  std::string shown;                        // for --dry-run
};

// Carries our standard input to the hosts' until it ends.
void carry_input(ssh::InputSource& input, const std::stop_token& stop) {
  std::array<char, 65536> piece{};
  try {
    while (!stop.stop_requested()) {
      pollfd p{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
      if (::poll(&p, 1, kStopCheckMs) == 0) continue;
      const ssize_t n = ::read(STDIN_FILENO, piece.data(), piece.size());
      if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (n < 0) base::throw_errno("read standard input");
      if (n == 0) break;
      input.append({piece.data(), static_cast<std::size_t>(n)});
    }
  } catch (const Error& e) {
    // Each host's command is ended where the input breaks off: its end of file would look like the whole.
    return input.fail(Error(e.code(), std::string("standard input could not be passed on: ") + e.what()));
  }
  input.close();
}

std::string joined_words(const std::vector<std::string>& words, std::size_t from) {
  std::string text;
  for (std::size_t i = from; i < words.size(); ++i) text += (i == from ? "" : " ") + words[i];
  return text;
}

std::string quoted_words(const std::vector<std::string>& words, std::size_t from) {
  std::string text;
  for (std::size_t i = from; i < words.size(); ++i) text += (i == from ? "" : " ") + ssh::in_quotes(words[i]);
  return text;
}

Order order_of(const Program& program) {
  const Settings& settings = program.settings;
  const auto& words = program.arguments.words;
  Order order;
  std::string script;
  const bool with_stdin = settings.flag("stdin");
  if (const auto file = settings.text("script")) {
    script = base::read_file(*file, kMaxScriptBytes);
    if (script.empty()) throw Error(Code::usage, "script " + *file + " is empty");
    order.request.command.script = ssh::Script{.interpreter = ssh::interpreter_of(script),
                                               .size_bytes = script.size(),
                                               .arguments = {words.begin() + 1, words.end()}};
    order.request.command.input_follows = with_stdin;
    order.shown = "script " + *file + (words.size() > 1 ? " " + joined_words(words, 1) : "");
  } else {
    if (words.size() < 2)
      throw Error(Code::usage, "no command: muster run PATTERN -- COMMAND..., or --interactive for a prompt");
    order.request.command.command = settings.flag("argv") ? quoted_words(words, 1) : joined_words(words, 1);
    if (order.request.command.command.find('\0') != std::string::npos)
      throw Error(Code::usage, "the command has a zero byte");
    order.shown = order.request.command.command;
  }
  if (!script.empty() || with_stdin) {
    order.input = std::make_unique<ssh::InputSource>(temporary_directory());
    order.input->append(script);
    if (!with_stdin) order.input->close();
    order.request.input = order.input.get();
  }
  if (settings.given("sudo")) order.request.sudo = ssh::Sudo{settings.text("sudo").value_or("root")};
  order.request.sudo_password = asked_secret(program, "ask-sudo-pass", "sudo password: ");
  order.request.clocks = command_clocks(settings);
  return order;
}

// --percent: the placeholders of pdsh, for one host.
std::string with_placeholders(const std::string& command, const ssh::Target& target, std::size_t host) {
  std::string out;
  for (std::size_t i = 0; i < command.size(); ++i) {
    if (command[i] != '%' || i + 1 == command.size()) {
      out += command[i];
      continue;
    }
    switch (command[++i]) {
      case 'h':
        out += target.name;
        break;
      case 'a':
        out += target.address;
        break;
      case 'u':
        out += target.session.user;
        break;
      case 'n':
        out += std::to_string(host);
        break;
      case '%':
        out += '%';
        break;
      default:
        out += {'%', command[i]};
    }
  }
  return out;
}

int dry_run(const Program& program, const FleetSelection& selection, const Order& order) {
  for (std::size_t host = 0; host < selection.size(); ++host) {
    const ssh::Target target = selection.target(host);
    std::string way = target.transport == ssh::Transport::openssh ? "openssh" : "libssh";
    for (const auto& jump : target.jumps) way += " through " + jump.address;
    const std::string command =
        program.settings.flag("percent") ? with_placeholders(order.shown, target, host) : order.shown;
    if (program.json()) {
      program.console.out(json_line("result", {{"host", target.name},
                                               {"state", "plan"},
                                               {"address", target.address},
                                               {"port", target.session.port},
                                               {"user", target.session.user},
                                               {"transport", way},
                                               {"command", command}}));
    } else {
      program.console.out(fmt::format("{}: {}@{} port {} ({}): {}\n", target.name, target.session.user, target.address,
                                      target.session.port, way, command));
    }
  }
  if (program.json()) program.console.out(json_line("summary", {{"hosts", selection.size()}, {"exit", kAllWorked}}));
  return kAllWorked;
}

void check_options(const Program& program) {
  const Settings& settings = program.settings;
  if (settings.flag("percent") && settings.given("script"))
    throw Error(Code::usage, "--percent is for commands, not for scripts");
  if (settings.flag("ordered") && (settings.flag("gather") || settings.flag("diff") || program.json()))
    throw Error(Code::usage, "--ordered is about lines: leave out --gather, --diff and --json");
  if (settings.flag("append") && !settings.given("output-dir"))
    throw Error(Code::usage, "--append is about the files of --output-dir: name that, too");
  for (const char* option : {"gather", "diff"})
    if (program.json() && settings.given_now(option))
      throw Error(Code::usage,
                  std::string("--json and --") + option + " exclude each other: each result has its output");
  if (program.arguments.words.empty()) throw Error(Code::usage, "no host pattern: muster run PATTERN -- COMMAND...");
}

int run(Program& program) {
  check_options(program);
  if (program.settings.flag("interactive")) return prompt_for_commands(program);
  const FleetSelection selection(program, program.arguments.words.front());
  const Order order = order_of(program);
  if (program.settings.flag("dry-run")) return dry_run(program, selection, order);

  if (program.settings.flag("raw")) program.console.show_raw();
  const std::string spill = temporary_directory();
  const Settings& settings = program.settings;
  std::unique_ptr<ssh::RunObserver> shown;
  std::unique_ptr<GatheredOutput> gathered;
  if (program.json()) {
    shown = json_output(program.console, selection.names(), spill);
  } else if (settings.flag("gather") || settings.flag("diff")) {
    gathered = gathered_output(program.console, selection.names(), spill);
  }
  if (!program.json() && (!gathered || settings.flag("live"))) {
    const Labels labels = settings.flag("no-prefix") ? Labels::hidden : Labels::shown;
    const auto lines = settings.flag("ordered") ? ordered_output : live_output;
    shown = lines(program.console, selection.names(), labels, spill);
  }
  std::unique_ptr<ssh::RunObserver> files;
  if (const auto directory = settings.text("output-dir")) {
    const auto earlier = settings.flag("append") ? EarlierFiles::appended_to : EarlierFiles::replaced;
    files = file_output(selection.names(), *directory, earlier);
  }

  std::vector<ssh::RunObserver*> observers;
  if (files) observers.push_back(files.get());
  if (shown) observers.push_back(shown.get());
  if (gathered) observers.push_back(gathered.get());
  const auto output = all_of(observers);
  FleetRun fleet(program, selection);
  std::jthread input;
  if (settings.flag("stdin"))
    input = std::jthread([&](const std::stop_token& stop) { carry_input(*order.input, stop); });
  return fleet.execute(
      [&](const ssh::HostRunner& runner, const ssh::Target& target, std::size_t host, ssh::OutputSink& sink) {
        if (!settings.flag("percent")) return runner.run(target, order.request, sink);
        ssh::RunRequest request = order.request;
        request.command.command = with_placeholders(request.command.command, target, host);
        return runner.run(target, request, sink);
      },
      output.get(),
      [&] {
        using Form = GatheredOutput::Form;
        if (gathered) gathered->print(settings.flag("diff") ? Form::differences : Form::whole);
      });
}

}  // namespace
}  // namespace muster::cli

int main(int argc, char** argv) { return muster::cli::run_program("run", argc, argv, muster::cli::run); }
