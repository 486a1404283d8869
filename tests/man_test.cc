// Holds the manual pages against the tables of cli/option_table.cc: every command has its page, every option stands in
// the pages of its commands, every key in muster-config(5), every exit status in muster(1); and nothing else does.
#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include "base/child_process.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/exit_status.h"
#include "cli/option_table.h"
#include "cli/verb_table.h"

namespace muster::cli {
namespace {

namespace fs = std::filesystem;

const fs::path kPages = fs::path(MUSTER_SOURCE_DIR) / "man";

using Words = std::vector<std::string>;

// A page as lines of words, a macro being the first word of its line.
std::vector<Words> page(const std::string& name) {
  std::ifstream file(kPages / name);
  EXPECT_TRUE(file.is_open()) << name << " is missing";
  std::vector<Words> lines;
  for (std::string line; std::getline(file, line);) {
    std::istringstream stream(line);
    Words words;
    for (std::string word; stream >> word;) words.push_back(word);
    if (!words.empty()) lines.push_back(words);
  }
  return lines;
}

// The long options a line names after `Fl`.
std::set<std::string> options_in(const Words& line) {
  std::set<std::string> options;
  bool after_flag = false;
  for (const auto& word : line) {
    if (word == "Fl" || word == ".Fl") after_flag = true;
    if (after_flag && word.size() > 2 && word[0] == '-' && word[1] != '-') options.insert(word.substr(1));
  }
  return options;
}

// The options that a page describes, as items of lists, each with its line.
std::map<std::string, Words> described_options(const std::string& name) {
  std::map<std::string, Words> described;
  for (const auto& line : page(name))
    if (line.front() == ".It")
      for (const auto& option : options_in(line)) described[option] = line;
  return described;
}

std::set<std::string> mentioned_options(const std::string& name) {
  std::set<std::string> mentioned;
  for (const auto& line : page(name)) mentioned.merge(options_in(line));
  return mentioned;
}

std::string page_of(const CommandRow& command) { return "muster-" + std::string(command.name) + ".1"; }

// Belongs to all commands, or to all but doctor: muster(1) describes it.
bool is_common(const OptionRow& option) { return (option.commands | kDoctor) == kEvery; }

void expect_described(const std::map<std::string, Words>& described, const OptionRow& option, const std::string& name) {
  const auto entry = described.find(std::string(option.name));
  ASSERT_NE(entry, described.end()) << "--" << option.name << " is not described in " << name;
  if (option.letter == 0) return;
  const auto& words = entry->second;
  EXPECT_NE(std::find(words.begin(), words.end(), std::string(1, option.letter)), words.end())
      << "-" << option.letter << " of --" << option.name << " is not described in " << name;
}

TEST(Man, EveryCommandHasAPageThatDescribesItsOptions) {
  for (const auto& command : command_rows()) {
    const auto described = described_options(page_of(command));
    const auto mentioned = mentioned_options(page_of(command));
    for (const auto& option : option_rows()) {
      if ((option.commands & command.bit) == 0) continue;
      if (is_common(option))
        EXPECT_TRUE(mentioned.contains(std::string(option.name)))
            << "--" << option.name << " is not named in " << page_of(command);
      else
        expect_described(described, option, page_of(command));
    }
  }
}

TEST(Man, NoPageDescribesAnOptionThatItsCommandDoesNotHave) {
  for (const auto& command : command_rows())
    for (const auto& [name, line] : described_options(page_of(command))) {
      const auto* option = find_option(name);
      EXPECT_TRUE(option != nullptr && (option->commands & command.bit) != 0)
          << page_of(command) << " describes --" << name;
    }
}

TEST(Man, MusterDescribesTheOptionsOfAllCommands) {
  const auto described = described_options("muster.1");
  for (const auto& option : option_rows())
    if (is_common(option)) expect_described(described, option, "muster.1");
  for (const auto& [name, line] : described) {
    const auto* option = find_option(name);
    EXPECT_TRUE(option != nullptr && is_common(*option)) << "muster.1 describes --" << name;
  }
}

TEST(Man, EveryVerbIsDescribedByItsCommand) {
  for (const auto& verb : verb_rows()) {
    const std::string name = "muster-" + std::string(verb.command) + ".1";
    bool described = false;
    for (const auto& line : page(name))
      for (std::size_t i = 1; i + 1 < line.size() && line[0] == ".It"; ++i)
        described = described || (line[i] == "Cm" && line[i + 1] == verb.name);
    EXPECT_TRUE(described) << name << " does not describe " << verb.name;
    for (const auto& option : option_rows())
      EXPECT_TRUE(!takes(verb, option) || is_general(verb.command, option) ||
                  (option.commands & find_command(verb.command)->bit) != 0)
          << verb.name << " cannot take --" << option.name;
  }
}

TEST(Man, MusterNamesEveryCommand) {
  std::set<std::string> named;
  for (const auto& line : page("muster.1"))
    if (line.size() == 3 && line[0] == ".It" && line[1] == "Cm") named.insert(line[2]);
  for (const auto& command : command_rows()) EXPECT_TRUE(named.contains(std::string(command.name))) << command.name;
}

TEST(Man, ConfigHasEveryKeyWithItsVariableAndNoOther) {
  std::map<std::string, std::string> documented;
  for (const auto& line : page("muster-config.5"))
    if (line.size() > 5 && line[0] == ".It" && line[1] == "Ic" && line[4] == "Ev") documented[line[2]] = line[5];
  std::map<std::string, std::string> expected;
  for (const auto& option : option_rows())
    if (option.configurable) expected[configuration_key(option)] = environment_name(option);
  EXPECT_EQ(documented, expected);
}

// The numbers that the items of EXIT STATUS begin with.
std::set<int> exit_statuses(const std::string& name) {
  std::set<int> statuses;
  bool inside = false;
  for (const auto& line : page(name)) {
    if (line[0] == ".Sh") inside = line.size() == 3 && line[1] == "EXIT";
    if (inside && line[0] == ".It") statuses.insert(std::stoi(line.at(1)));
  }
  return statuses;
}

TEST(Man, MusterHasTheWholeTableOfExitStatuses) {
  const std::set<int> whole{kAllWorked, kNothingWorked, kUsage,  kPartFailed, kUnsupported, kRefused,    kNoRepository,
                            kBusy,      kKey,           kDamage, kNoSpace,    kUnreachable, kInterrupted};
  EXPECT_EQ(exit_statuses("muster.1"), whole);
  for (const auto& command : command_rows()) {
    const auto own = exit_statuses(page_of(command));
    EXPECT_FALSE(own.empty()) << page_of(command);
    for (const int status : own) EXPECT_TRUE(whole.contains(status)) << page_of(command) << " has " << status;
  }
}

// The part of a source that makes messages: all of a worker's operations, elsewhere what json_line() is given.
std::string written_by(const std::string& file, const std::string& text) {
  // What the program that reads or serves disks asks of a worker, it tells nobody else.
  for (const char* within : {"worker_operations.cc", "worker_backup.cc", "worker_boot.cc", "worker_served.cc"})
    if (file == within) return "";
  if (file.starts_with("worker_") || file == "machine_json.cc" || file == "json_output.cc" || file == "json_lines.cc")
    return text;
  std::string written;
  for (std::size_t at = text.find("json_line("); at != std::string::npos; at = text.find("json_line(", at + 1))
    written += text.substr(at, text.find(";\n", at) - at);
  return written;
}

// Every field that the commands write in their messages, as the sources name it, stands in muster-json(7).
TEST(Man, JsonDescribesEveryField) {
  static const std::regex kField(R"re((?:[{,]\s*\{|(?:object|fields)\[|write_field\(write, )"([a-z_0-9]+)"[,\]])re");
  std::set<std::string> described;
  for (const auto& line : page("muster-json.7"))
    if (line.front() == ".It" && line.at(1) == "Va") described.insert(line.begin() + 2, line.end());
  std::size_t seen = 0;
  // Between a worker and who asks it, and not shown.
  const std::set<std::string> within{"names",       "machines",        "capabilities", "node",   "trashed",
                                     "trash_names", "making",          "identity",     "takes",  "tpm_state",
                                     "unpooled",    "free_disk_bytes", "clones",       "digests"};
  for (const auto& entry : fs::directory_iterator(fs::path(MUSTER_SOURCE_DIR) / "cli")) {
    const std::string name = entry.path().filename();
    const std::string text = written_by(name, base::read_file(entry.path(), 1U << 20));
    for (std::sregex_iterator it(text.begin(), text.end(), kField), end; it != end; ++it, ++seen)
      EXPECT_TRUE(described.contains((*it)[1]) || within.contains((*it)[1]))
          << (*it)[1] << " of " << name << " is not described";
  }
  EXPECT_GE(seen, 50U);
}

std::set<std::string> files_of(const std::string& pattern_end) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(kPages))
    if (entry.path().extension().string().find_first_of(pattern_end) == 1) names.insert(entry.path().filename());
  return names;
}

TEST(Man, EveryPageIsInstalled) {
  std::ostringstream text;
  text << std::ifstream(kPages / "CMakeLists.txt").rdbuf();
  const auto pages = files_of("157");
  EXPECT_GT(pages.size(), 8U);
  for (const auto& name : pages) {
    EXPECT_NE(text.str().find(name), std::string::npos) << name << " is not installed";
    std::string title = name.substr(0, name.rfind('.'));
    std::transform(title.begin(), title.end(), title.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    EXPECT_EQ(page(name).at(1), (Words{".Dt", title, name.substr(name.rfind('.') + 1)}));
  }
}

TEST(Man, PagesReferToPagesThatExist) {
  for (const auto& name : files_of("157"))
    for (const auto& line : page(name))
      for (std::size_t i = 0; i + 2 < line.size(); ++i) {
        if ((line[i] != ".Xr" && line[i] != "Xr") || !line[i + 1].starts_with("muster")) continue;
        EXPECT_TRUE(fs::exists(kPages / (line[i + 1] + "." + line[i + 2].substr(0, 1))))
            << name << " refers to " << line[i + 1] << "(" << line[i + 2] << ")";
      }
}

std::string read_to_end(int fd) {
  std::string text;
  std::array<char, 4096> piece{};
  for (pollfd readable{.fd = fd, .events = POLLIN, .revents = 0}; ::poll(&readable, 1, 10'000) == 1;) {
    const ssize_t n = ::read(fd, piece.data(), piece.size());
    if (n <= 0) break;
    text.append(piece.data(), static_cast<std::size_t>(n));
  }
  return text;
}

TEST(Man, PagesAreCleanMdoc) {
  std::vector<std::string> argv{"mandoc", "-T", "lint", "-W", "warning"};
  for (const auto& name : files_of("157")) argv.push_back(kPages / name);
  try {
    base::ChildProcess mandoc(argv);
    mandoc.standard_input().reset();
    const std::string told = read_to_end(mandoc.standard_output().get());
    EXPECT_EQ(mandoc.wait(std::chrono::seconds(10)).code, 0) << told;
  } catch (const base::Error& e) {
    if (e.code() != base::Code::not_found) throw;
    GTEST_SKIP() << "mandoc is not installed";
  }
}

}  // namespace
}  // namespace muster::cli
