#include "tests/e2e/process_table.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace muster::e2e {
namespace {

bool holds(const std::string& environment, const std::string& assignment) {
  const std::string entries = '\0' + environment;
  return entries.find('\0' + assignment + '\0') != std::string::npos;
}

std::string command_line(pid_t pid) {
  std::string line = process_file(pid, "cmdline");
  std::replace(line.begin(), line.end(), '\0', ' ');
  return line;
}

// "state parent ...", empty if there is no such process.
std::string state_of(pid_t pid) {
  const std::string stat = process_file(pid, "stat");
  // "pid (name) state parent ...": the name may hold anything, but its closing parenthesis is the last one.
  const auto end_of_name = stat.rfind(')');
  return end_of_name == std::string::npos || end_of_name + 4 > stat.size() ? "" : stat.substr(end_of_name + 2);
}

pid_t parent_of(pid_t pid) {
  const std::string state = state_of(pid);
  return state.empty() ? 0 : static_cast<pid_t>(std::strtol(state.c_str() + 2, nullptr, 10));
}

}  // namespace

std::string process_file(pid_t pid, const std::string& name) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + name;
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  char buffer[4096];
  for (ssize_t n = 0; fd && (n = ::read(fd.get(), buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(n));
  return text;
}

std::string process_name(pid_t pid) {
  const std::string line = process_file(pid, "comm");
  return line.substr(0, line.find('\n'));
}

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc() && end == name.data() + name.size()) pids.push_back(pid);
  }
  return pids;
}

std::vector<Found> processes_with(const std::string& assignment) {
  std::vector<Found> found;
  for (const pid_t pid : all_processes())
    if (holds(process_file(pid, "environ"), assignment)) found.push_back({.pid = pid, .command = command_line(pid)});
  return found;
}

std::vector<pid_t> process_tree(pid_t root) {
  std::multimap<pid_t, pid_t> children;
  for (const pid_t pid : all_processes()) children.emplace(parent_of(pid), pid);
  std::vector<pid_t> tree = {root};
  for (std::size_t i = 0; i < tree.size(); ++i) {
    const auto [first, last] = children.equal_range(tree[i]);
    for (auto it = first; it != last; ++it) tree.push_back(it->second);
  }
  return tree;
}

bool is_running(pid_t pid) {
  const std::string state = state_of(pid);
  return !state.empty() && state[0] != 'Z' && state[0] != 'X';
}

void pause_between_polls() { ::poll(nullptr, 0, 5); }

}  // namespace muster::e2e
