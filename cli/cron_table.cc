#include "cli/cron_table.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

constexpr std::string_view kBegin = "# muster job ", kEnd = "# end of muster job ";
constexpr std::array<std::string_view, 8> kNicknames{"@reboot", "@yearly", "@annually", "@monthly",
                                                     "@weekly", "@daily",  "@midnight", "@hourly"};
struct Field {
  int low, high;
  std::string_view names;  // three letters each, from the first on; empty: numbers alone
};
constexpr std::array<Field, 5> kFields{{{0, 59, ""},
                                        {0, 23, ""},
                                        {1, 31, ""},
                                        {1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
                                        {0, 7, "sunmontuewedthufrisat"}}};
constexpr std::size_t kMaxNameBytes = 64;

bool is_number(std::string_view text, int low, int high) {
  if (text.empty() || text.size() > 2 || text.find_first_not_of("0123456789") != std::string_view::npos) return false;
  const int value = std::stoi(std::string(text));
  return value >= low && value <= high;
}

bool is_value(const std::string& text, const Field& field) {
  if (is_number(text, field.low, field.high)) return true;
  if (text.size() != 3) return false;
  const std::string lower = base::lower_case(text);
  for (std::size_t at = 0; at + 3 <= field.names.size(); at += 3)
    if (field.names.substr(at, 3) == lower) return true;
  return false;
}

// `*`, a value, or a range of them; with `/N` behind `*` and ranges.
bool is_item(const std::string& item, const Field& field) {
  const std::size_t slash = item.find('/');
  const std::string range = item.substr(0, slash);
  const std::size_t dash = range.find('-');
  if (slash != std::string::npos &&
      (!is_number(item.substr(slash + 1), 1, 99) || (range != "*" && dash == std::string::npos)))
    return false;
  if (range == "*") return true;
  if (dash == std::string::npos) return is_value(range, field);
  return is_value(range.substr(0, dash), field) && is_value(range.substr(dash + 1), field);
}

// Items with commas between them.
bool is_field(const std::string& text, const Field& field) {
  std::size_t from = 0;
  for (std::size_t comma = text.find(','); comma != std::string::npos; comma = text.find(',', from)) {
    if (!is_item(text.substr(from, comma - from), field)) return false;
    from = comma + 1;
  }
  return is_item(text.substr(from), field);
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
  for (std::size_t i = 1; i < kFields.size() && !job.expression.starts_with('@'); ++i) job.expression += " " + next();
  if (with_user) job.user = next();
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  job.command = rest;
  return job;
}

}  // namespace

void check_cron_expression(const std::string& expression) {
  const auto words = base::words_of(expression);
  const bool one_line = std::none_of(expression.begin(), expression.end(),
                                     [](unsigned char c) { return std::iscntrl(c) != 0 && c != '\t'; });
  const bool nickname =
      words.size() == 1 && std::find(kNicknames.begin(), kNicknames.end(), words.front()) != kNicknames.end();
  bool fields = words.size() == kFields.size();
  for (std::size_t i = 0; fields && i < words.size(); ++i) fields = is_field(words[i], kFields[i]);
  if (!one_line || (!nickname && !fields))
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
  for (const auto& line : base::lines_of(table)) {
    if (first_word(name_on(line, kBegin)) == name) inside = true;
    if (!inside) kept += line + "\n";
    if (name_on(line, kEnd) == name) inside = false;
  }
  if (inside)
    throw Error(Code::refused, "the end of the block of job '" + name +
                                   "' is not in the table any more: what follows may be yours. Mend it by hand");
  return kept;
}

std::string with_job(std::string_view table, const CronJob& job) {
  return without_job(table, job.name) + cron_block(job);
}

std::vector<CronJob> jobs_in(std::string_view table, bool with_user) {
  std::vector<CronJob> jobs;
  std::string name;
  for (const auto& line : base::lines_of(table)) {
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
