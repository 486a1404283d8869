// muster vm top: what machines use, again and again on a terminal.
#include <array>
#include <atomic>
#include <mutex>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <unistd.h>

#include "base/quantity.h"
#include "cli/environment.h"
#include "cli/exit_status.h"
#include "cli/hypervisor_watch.h"
#include "cli/machine_source.h"
#include "cli/terminal_mode.h"
#include "cli/terminal_text.h"
#include "cli/usage_table.h"
#include "cli/vm_commands.h"
#include "cli/vm_wanted.h"
#include "parallel-ssh/cancel.h"

namespace muster::cli {
namespace {

using base::Clock;
using nlohmann::json;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kTopInterval{2};
// How soon a resized terminal is drawn anew.
constexpr milliseconds kTick{200};
// Beyond so many intervals, and this, a hypervisor is said not to answer.
constexpr int kSilentIntervals = 3;
constexpr std::chrono::seconds kSilence{3};

// The terminal's other screen, without a cursor.
class Screen {
 public:
  explicit Screen(Console& console) : console_(console) { console_.out("\x1b[?1049h\x1b[?25l"); }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  ~Screen() { console_.out("\x1b[?25h\x1b[?1049l"); }

  // As much of `text` as there is room for.
  void draw(const std::string& text) {
    const TerminalSize size = terminal_size();
    std::string frame = "\x1b[H";
    int row = 0;
    for (std::size_t from = 0; from < text.size() && row < size.rows; ++row) {
      const std::size_t end = std::min(text.find('\n', from), text.size());
      frame += (row == 0 ? "" : "\r\n") + clipped(text.substr(from, end - from), size.columns) + "\x1b[K";
      from = end + 1;
    }
    console_.out(frame + "\x1b[J");
  }

 private:
  static std::string clipped(const std::string& line, int columns) {
    std::string out;
    std::string_view rest = line;
    for (int width = 0; width < columns && !rest.empty(); ++width) {
      const std::size_t length = std::max<std::size_t>(decode_utf8(rest).length, 1);
      out += rest.substr(0, length);
      rest.remove_prefix(length);
    }
    return out;
  }

  Console& console_;
};

// The last that each hypervisor told.
class Board {
 public:
  Board(const WantedMachines& wanted, milliseconds interval) : wanted_(wanted), interval_(interval) {
    for (const auto& uri : wanted.hypervisors()) entries_.push_back({.answer = {{"uri", uri}}, .at = Clock::now()});
  }

  void put(std::size_t number, json answer) {
    const std::string& uri = wanted_.hypervisors()[number];
    answer["machines"] = wanted_.among(answer, uri);
    answer["uri"] = uri;
    const std::lock_guard lock(mutex_);
    entries_[number] = {.answer = std::move(answer), .at = Clock::now()};
    ++changes_;
  }
  void put_error(std::size_t number, const std::string& error) {
    const std::lock_guard lock(mutex_);
    entries_[number].answer["error"] = error;
    ++changes_;
  }
  std::size_t changes() const { return changes_; }

  std::string text(UsageOrder order) const {
    std::vector<json> hypervisors, machines;
    for (auto& answer : answers()) {
      for (json machine : answer.value("machines", json::array())) {
        if (answer.contains("error")) machine["stale"] = true;
        machines.push_back(std::move(machine));
      }
      hypervisors.push_back(std::move(answer));
    }
    return fmt::format("{:%H:%M:%S}  {} machines  sorted by {} (c, m, d, n)  q quits\n\n{}\n{}",
                       fmt::localtime(std::time(nullptr)), machines.size(), name_of(order),
                       hypervisor_usage_table(hypervisors), machine_usage_table(machines, order));
  }

 private:
  struct Entry {
    json answer;
    base::TimePoint at;
  };
  std::vector<json> answers() const {
    const std::lock_guard lock(mutex_);
    std::vector<json> all;
    for (const auto& entry : entries_) {
      all.push_back(entry.answer);
      if (Clock::now() - entry.at > kSilentIntervals * interval_ + kSilence) all.back()["error"] = "no answer";
    }
    return all;
  }

  const WantedMachines& wanted_;
  milliseconds interval_;
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
  std::atomic<std::size_t> changes_ = 0;
};

// The next key typed, '\0' if none was, 'q' at the end of input or once a stop was requested.
char next_key(const ssh::CancelSignal& stop) {
  std::array<pollfd, 2> set{
      {{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0}, {.fd = stop.fd(), .events = POLLIN, .revents = 0}}};
  if (::poll(set.data(), set.size(), static_cast<int>(kTick.count())) <= 0) return '\0';
  char key = 'q';
  if (set[1].revents != 0 || ::read(STDIN_FILENO, &key, 1) <= 0) return 'q';
  return key;
}

UsageOrder order_of_key(char key, UsageOrder now) {
  switch (key) {
    case 'c':
      return UsageOrder::cpu;
    case 'm':
      return UsageOrder::memory;
    case 'd':
      return UsageOrder::disk;
    case 'n':
      return UsageOrder::net;
    default:
      return now;
  }
}

void show(const Program& program, const Board& board, UsageOrder order) {
  const ssh::CancelSignal stop(program.interrupts.drain());
  const TerminalMode mode(TerminalMode::Kind::keys);
  Screen screen(program.console);
  std::string drawn_for;
  for (;;) {
    const TerminalSize size = terminal_size();
    const std::string state =
        fmt::format("{} {} {} {} {}", board.changes(), std::time(nullptr), size.rows, size.columns, name_of(order));
    if (state != drawn_for) screen.draw(board.text(order));
    drawn_for = state;
    const char key = next_key(stop);
    if (key == 'q' || program.console.broken()) return;
    order = order_of_key(key, order);
  }
}

}  // namespace

int vm_top(const VerbCommand& command) {
  const Program& program = command.program;
  const UsageOrder order = usage_order(program.settings, UsageOrder::cpu);
  if (program.settings.flag("once") || program.json() || !on_terminal(STDIN_FILENO) || !on_terminal(STDOUT_FILENO))
    return vm_stats(command);
  const milliseconds interval = program.settings.duration("interval").value_or(kTopInterval);
  const WantedMachines wanted(command, WantedMachines::Names::hosts);
  Board board(wanted, interval);
  const HypervisorWatch watch(
      wanted.hypervisors(),
      {.operation = "watch", .interval = interval, .connect_patience = connect_patience(program.settings)},
      {.progress = [&](std::size_t number, const json& message) { board.put(number, message); },
       .lost = [&](std::size_t number, const base::Error& error) { board.put_error(number, error.what()); }},
      base::null_events());
  show(program, board, order);
  return program.interrupts.interrupted() ? kInterrupted : kAllWorked;
}

}  // namespace muster::cli
