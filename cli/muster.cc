// The program `muster`: finds the command among its arguments and becomes the program of that command. Linked with
// nothing, because it stands before every start.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "cli/option_table.h"
#include "cli/version.h"

// One thread, and it ends here or becomes another program:
// NOLINTBEGIN(concurrency-mt-unsafe)
namespace muster::cli {
namespace {

constexpr int kUsageStatus = 2;
// Not for users: what muster of another host starts here.
constexpr std::string_view kWorker = "backup-worker";

// How many arguments the option in `word` takes up besides itself.
int values_after(std::string_view word) {
  if (word.starts_with("--")) {
    if (word.find('=') != std::string_view::npos) return 0;
    const OptionRow* option = find_option(word.substr(2));
    return option != nullptr && (option->takes == Takes::value || option->takes == Takes::list) ? 1 : 0;
  }
  // A cluster like -qf8: a letter with a value takes the rest of the word, or the next one.
  for (std::size_t i = 1; i < word.size(); ++i) {
    const OptionRow* option = find_option(word[i]);
    if (option != nullptr && (option->takes == Takes::value || option->takes == Takes::list))
      return i + 1 == word.size() ? 1 : 0;
  }
  return 0;
}

// The index of the command in `words`, or -1.
int find_command_word(const std::vector<char*>& words) {
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word == "--") return -1;
    if (word.size() < 2 || word[0] != '-') return static_cast<int>(i);
    i += static_cast<std::size_t>(values_after(word));
  }
  return -1;
}

void print_overview(std::FILE* to) {
  std::fputs("usage: muster [-i INVENTORY]... COMMAND ...\n\ncommands:\n", to);
  for (const CommandRow& command : command_rows())
    std::fprintf(to, "  %-10s  %s\n", std::string(command.name).c_str(), std::string(command.summary).c_str());
  std::fputs("\n`muster COMMAND --help` is short, `man muster-COMMAND` is whole.\n", to);
}

// The programs lie beside this one, or where they are installed.
[[noreturn]] void become(std::string_view command, const std::vector<char*>& arguments) {
  char self[4096];
  const ssize_t length = ::readlink("/proc/self/exe", self, sizeof self - 1);
  const std::string path(self, static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
  const std::string directory = path.substr(0, path.rfind('/'));
  const std::string program = "muster-" + std::string(command);
  for (const std::string& candidate : {directory + "/" + program, directory + "/../libexec/muster/" + program})
    ::execv(candidate.c_str(), arguments.data());
  std::fprintf(stderr, "muster: cannot start %s: %s\n", program.c_str(), std::strerror(errno));
  std::exit(kUsageStatus);
}

int main(int argc, char** argv) {
  std::vector<char*> words(argv, argv + argc);
  const int at = find_command_word(words);
  if (at < 0) {
    const auto asked = [&](std::string_view a, std::string_view b) {
      return std::any_of(words.begin() + 1, words.end(), [&](const char* word) { return word == a || word == b; });
    };
    if (asked("--version", "--version")) return std::printf("muster %s\n", kVersion) < 0 ? 1 : 0;
    const bool help = asked("--help", "-h");
    print_overview(help ? stdout : stderr);
    return help ? 0 : kUsageStatus;
  }
  std::string_view command = words[static_cast<std::size_t>(at)];
  if (command == "help" && at + 1 < argc) {
    const std::string page = "muster-" + std::string(words[static_cast<std::size_t>(at) + 1]);
    ::execlp("man", "man", page.c_str(), nullptr);
    std::fprintf(stderr, "muster: cannot start man: %s\n", std::strerror(errno));
    return kUsageStatus;
  }
  if (command == "help") {
    print_overview(stdout);
    return 0;
  }
  if (find_command(command) == nullptr && command != kWorker) {
    std::fprintf(stderr, "muster: no command '%s'; the commands are:", std::string(command).c_str());
    for (const CommandRow& row : command_rows()) std::fprintf(stderr, " %s", std::string(row.name).c_str());
    std::fputs("\n", stderr);
    return kUsageStatus;
  }
  words.erase(words.begin() + at);
  words.push_back(nullptr);
  become(command, words);
}

}  // namespace
}  // namespace muster::cli

int main(int argc, char** argv) { return muster::cli::main(argc, argv); }
// NOLINTEND(concurrency-mt-unsafe)
