#include "cli/cron_table.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <sstream>

#include <fmt/format.h>

#include "base/error.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

constexpr std::string_view kBegin = "# muster job ", kEnd = "# end of muster job ";
constexpr std::array<std::string_view, 8> kNicknames{"@reboot", "@yearly", "@annually", "@monthly",
                                                     "@weekly", "@daily",  "@midnight", "@hourly"};
constexpr std::size_t kFields = 5;
constexpr std::size_t kMaxNameBytes = 64;

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::string quoted_for_shell(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("-_./:=@,+").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string name_on(std::string_view line, std::string_view mark) {
  return line.starts_with(mark) ? std::string(line.substr(mark.size())) : "";
}

// After the name, what is for people.
std::string first_word(const std::string& text) { return text.substr(0, text.find(':')); }

CronJob parse_line(const std::string& name, const std::string& line, bool with_user) {
  CronJob job{.name = name, .expression = {}, .command = {}, .user = {}};
  std::string_view rest = line;
  const auto next = [&] {
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    const std::size_t end = std::min(rest.find_first_of(" \t"), rest.size());
    const std::string word(rest.substr(0, end));
    rest.remove_prefix(end);
    return word;
  };
  job.expression = next();
  for (std::size_t i = 1; i < kFields && !job.expression.starts_with('@'); ++i) job.expression += " " + next();
  if (with_user) job.user = next();
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  job.command = rest;
  return job;
}

}  // namespace

void check_cron_expression(const std::string& expression) {
  const auto words = words_of(expression);
  const bool nickname =
      words.size() == 1 && std::find(kNicknames.begin(), kNicknames.end(), words.front()) != kNicknames.end();
  const bool fields = words.size() == kFields && std::all_of(words.begin(), words.end(), [](const std::string& word) {
                        return std::all_of(word.begin(), word.end(), [](unsigned char c) {
                          return std::isalnum(c) != 0 || c == '*' || c == ',' || c == '-' || c == '/';
                        });
                      });
  if (!nickname && !fields)
    throw Error(Code::usage, "'" + expression +
                                 "' is no time for cron: write minute, hour, day, month and day of the week, as in "
                                 "'30 2 * * *', or @daily");
}

void check_job_name(const std::string& name) {
  const bool good = !name.empty() && name.size() <= kMaxNameBytes &&
                    std::all_of(name.begin(), name.end(),
                                [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_'; });
  if (!good)
    throw Error(Code::usage, "'" + name + "' cannot be a job's name: letters, digits, '-' and '_', up to 64 of them");
}

std::string cron_command(const std::vector<std::string>& words) {
  std::string line;
  for (const auto& word : words) {
    if (word.find_first_of("\n\r") != std::string::npos || word.find('\0') != std::string::npos)
      throw Error(Code::usage, "a line of cron has no newline in it");
    line += (line.empty() ? "" : " ") + quoted_for_shell(word);
  }
  std::string escaped;
  for (const char c : line) escaped += c == '%' ? std::string("\\%") : std::string(1, c);
  return escaped;
}

std::string cron_block(const CronJob& job) {
  return fmt::format("{}{}: changed by muster backup schedule\n{} {}{}\n{}{}\n", kBegin, job.name, job.expression,
                     job.user.empty() ? "" : job.user + " ", job.command, kEnd, job.name);
}

std::string without_job(std::string_view table, const std::string& name) {
  std::string kept;
  bool inside = false;
  for (const auto& line : lines_of(table)) {
    if (first_word(name_on(line, kBegin)) == name) inside = true;
    if (!inside) kept += line + "\n";
    if (name_on(line, kEnd) == name) inside = false;
  }
  return kept;
}

std::string with_job(std::string_view table, const CronJob& job) {
  return without_job(table, job.name) + cron_block(job);
}

std::vector<CronJob> jobs_in(std::string_view table, bool with_user) {
  std::vector<CronJob> jobs;
  std::string name;
  for (const auto& line : lines_of(table)) {
    if (line.starts_with(kBegin))
      name = first_word(name_on(line, kBegin));
    else if (line.starts_with(kEnd))
      name.clear();
    else if (!name.empty() && !line.empty() && line.front() != '#')
      jobs.push_back(parse_line(name, line, with_user));
  }
  return jobs;
}

}  // namespace muster::cli
