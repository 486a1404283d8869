#include "backup/area_scan.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include <fmt/format.h>

#include "archive/tar_reader.h"
#include "backup/area_item.h"
#include "base/error.h"
#include "parallel-ssh/command_line.h"

namespace muster::backup {
namespace {

using base::Code;
using base::Error;
using ssh::in_quotes;

// What a kernel makes up: no files, and reading some of it has consequences.
constexpr std::string_view kNoFileSystems[] = {
    "autofs", "binfmt_misc", "bpf",  "cgroup", "cgroup2",    "configfs",   "debugfs",   "devpts", "efivarfs", "fusectl",
    "mqueue", "nsfs",        "proc", "pstore", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs",  "tracefs"};

constexpr std::size_t kMaxLineBytes = archive::kMaxPathBytes + 4096;

// Two slashes end a path: it has none itself. `sort` sees slashes as zero bytes, the least there are, and newlines as
// slashes, so that a line is a record, and a directory comes right before what is in it.
constexpr std::string_view kRecord = R"('%P//%y %s %T@ %C@ %i %D %n\0')";
constexpr std::string_view kSort = R"(tr '\000\n/' '\n/\000' | sort)";

// As the output of kSort has it, back again.
char restored(char c) {
  if (c == '\0') return '/';
  return c == '/' ? '\n' : c;
}

std::string exclusion(const std::vector<std::string>& excludes) {
  if (excludes.empty()) return "";
  std::string tests;
  for (const auto& pattern : excludes) {
    if (!tests.empty()) tests += " -o ";
    const std::string plain = pattern.ends_with('/') ? pattern.substr(0, pattern.size() - 1) : pattern;
    if (plain.starts_with('/'))
      tests += "-path " + in_quotes("." + plain);
    else if (plain.find('/') == std::string::npos)
      tests += "-name " + in_quotes(plain);
    else
      tests += "-path " + in_quotes("./" + plain) + " -o -path " + in_quotes("*/" + plain);
  }
  return "! -path . \\( " + tests + " \\) -prune -o ";
}

std::string no_file_systems() {
  std::string tests;
  for (const auto name : kNoFileSystems) tests += fmt::format("{}-fstype {}", tests.empty() ? "" : " -o ", name);
  return "\\( " + tests + " \\) -prune";
}

std::string enter(const AreaOrder& order) {
  return "export LC_ALL=C; cd -- " + in_quotes(order.path) + " || exit 66; ";
}

[[noreturn]] void reject(const char* why) { throw Error(Code::corrupt, std::string("the listing of files ") + why); }

// The numbers behind a path.
class Facts {
 public:
  explicit Facts(std::string_view text) : left_(text) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    const auto word = this->word();
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size()) reject("has no number where one should be");
    return value;
  }
  // `-12.3456789000`: find counts on from the whole seconds below.
  archive::Timestamp time() {
    const auto word = this->word();
    const std::size_t dot = word.find('.');
    archive::Timestamp time;
    const auto seconds = word.substr(0, dot);
    const auto [end, error] = std::from_chars(seconds.data(), seconds.data() + seconds.size(), time.seconds);
    if (error != std::errc() || end != seconds.data() + seconds.size()) reject("has no time where one should be");
    if (dot == std::string_view::npos) return time;
    std::string digits(word.substr(dot + 1, 9));
    digits.resize(9, '0');
    std::from_chars(digits.data(), digits.data() + digits.size(), time.nanoseconds);
    return time;
  }

 private:
  std::string_view word() {
    const std::size_t space = std::min(left_.find(' '), left_.size());
    const auto word = left_.substr(0, space);
    left_.remove_prefix(std::min(space + 1, left_.size()));
    return word;
  }
  std::string_view left_;
};

}  // namespace

void check_area_order(const AreaOrder& order) {
  const auto is_text = [](const std::string& text) {
    return !text.empty() && std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < ' '; });
  };
  if (!order.path.starts_with('/') || !is_text(order.path) || order.path.size() > 4096)
    throw Error(Code::usage, "'" + order.path + "' is no area: write an absolute path, of a machine HOST:/PATH");
  for (const auto& pattern : order.excludes)
    if (!is_text(pattern) || pattern == "/")
      throw Error(Code::usage, "'" + pattern + "' excludes nothing: write a glob, as *.o, cache/tmp or /var/tmp");
}

std::string scan_command(const AreaOrder& order) {
  return fmt::format("{}date +%s; {{ find . {}{}-printf {} {}; printf '//~%s\\0' \"$?\"; }} | {}", enter(order),
                     order.one_file_system ? "-xdev " : "", exclusion(order.excludes), kRecord, no_file_systems(),
                     kSort);
}

std::string send_command(const AreaOrder& order) {
  return enter(order) +
         "exec tar --create --file=- --no-recursion --null --verbatim-files-from --files-from=- --format=pax "
         "--pax-option='hdrcharset:=BINARY,delete=atime' --xattrs --xattrs-include='*' --sparse --ignore-failed-read";
}

std::optional<std::string> ScanReader::next_line() {
  std::string line;
  for (bool whole = true;;) {
    if (piece_.empty()) piece_ = source_();
    if (piece_.empty()) {
      if (!line.empty()) reject("was cut short");
      return std::nullopt;
    }
    const std::string_view text = base::as_text(piece_);
    const std::size_t end = std::min(text.find('\n'), text.size());
    const bool ends = end < text.size();
    whole = whole && line.size() + end <= kMaxLineBytes;
    if (whole) line += text.substr(0, end);
    piece_ = piece_.subspan(ends ? end + 1 : end);
    if (!ends) continue;
    if (whole) return line;
    ++too_long_;
    line.clear();
    whole = true;
  }
}

std::optional<std::int64_t> ScanReader::began() {
  const auto line = next_line();
  if (!line) return std::nullopt;
  std::int64_t seconds = 0;
  if (std::from_chars(line->data(), line->data() + line->size(), seconds).ec != std::errc())
    reject("does not begin with a time");
  return seconds;
}

std::optional<ScannedFile> ScanReader::next() {
  for (;;) {
    auto line = next_line();
    if (!line) {
      if (!status_) reject("was cut short");
      return std::nullopt;
    }
    std::transform(line->begin(), line->end(), line->begin(), restored);
    const std::size_t end = line->find("//");
    if (end == std::string::npos || end + 3 > line->size()) reject("has a line that makes no sense");
    ScannedFile file{.path = line->substr(0, end), .type = (*line)[end + 2]};
    if (file.type == '~') {
      status_ = static_cast<int>(Facts(std::string_view(*line).substr(end + 3)).number());
      continue;
    }
    Facts facts(std::string_view(*line).substr(std::min(end + 4, line->size())));
    file.size_bytes = facts.number();
    file.modified = facts.time();
    file.changed = facts.time();
    file.inode = facts.number();
    file.device = facts.number();
    file.links = facts.number();
    if (file.path.size() > archive::kMaxPathBytes) {
      ++too_long_;
      continue;
    }
    const bool follows = before_ ? compare_paths(*before_, file.path) < 0 : file.path.empty();
    if (!follows || !is_area_path(file.path)) reject("is not in order");
    before_ = file.path;
    return file;
  }
}

}  // namespace muster::backup
