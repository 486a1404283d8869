#include "cli/backup_point.h"

#include <algorithm>
#include <cctype>
#include <ctime>
#include <map>
#include <regex>
#include <set>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/error.h"
#include "inventory/close_names.h"

namespace muster::cli {
namespace {

using backup::ListedPoint;
using base::Code;
using base::Error;
using std::chrono::sys_seconds;

constexpr std::size_t kMinDigits = 4, kShortDigits = 8, kMaxCandidates = 10;

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isdigit(c) != 0 || (c >= 'a' && c <= 'f'); });
}

// Where the point's own part of the word ends: at the first colon that is none of its time.
std::size_t end_of_point(std::string_view word) {
  static const std::regex kTimed(R"(^[^@:]*@\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?Z?)?(?=:|$))");
  std::match_results<std::string_view::const_iterator> match;
  if (std::regex_search(word.begin(), word.end(), match, kTimed)) return static_cast<std::size_t>(match.length());
  return std::min(word.find(':'), word.size());
}

std::string candidate(const ListedPoint& listed, std::size_t digits) {
  return fmt::format("{} ({}@{})", short_id(listed.point.id, digits), listed.point.name, local_time(listed.point.time));
}

// The youngest of them.
std::string candidates(const std::vector<const ListedPoint*>& points, std::size_t digits) {
  std::string text;
  for (std::size_t i = 0; i < points.size() && i < kMaxCandidates; ++i)
    text += (i == 0 ? "" : ", ") + candidate(*points[points.size() - 1 - i], digits);
  if (points.size() > kMaxCandidates) text += fmt::format(" and {} more", points.size() - kMaxCandidates);
  return text;
}

[[noreturn]] void throw_no_name(const std::vector<ListedPoint>& points, const std::string& name) {
  std::set<std::string> names;
  for (const auto& listed : points) names.insert(listed.point.name);
  inventory::CloseNames close(name);
  std::string all;
  for (const auto& known : names) {
    close.consider(known);
    if (names.size() <= kMaxCandidates) all += (all.empty() ? "" : ", ") + known;
  }
  const std::string suggestion = close.suggestion();
  throw Error(Code::usage, fmt::format("no restore point of '{}'{}", name,
                                       !suggestion.empty() ? suggestion + " muster backup list shows all"
                                       : all.empty()       ? ": muster backup list shows all"
                                                           : ": there are those of " + all));
}

const ListedPoint& find_by_time(const std::vector<ListedPoint>& points, const std::string& point) {
  const std::size_t at = point.find('@');
  const std::string name = point.substr(0, at), when = point.substr(at + 1);
  const auto latest = when == "latest" ? sys_seconds::max() : parse_point_time(when);
  const ListedPoint* found = nullptr;
  std::vector<const ListedPoint*> later;
  for (const auto& listed : points) {
    if (listed.point.name != name) continue;
    if (listed.point.time <= latest)
      found = &listed;
    else
      later.push_back(&listed);
  }
  if (found != nullptr) return *found;
  if (later.empty()) throw_no_name(points, name);
  throw Error(Code::usage, fmt::format("no restore point of '{}' is that old; there are {}", name,
                                       candidates(later, digits_needed(points))));
}

[[noreturn]] void throw_no_id(const std::vector<ListedPoint>& points, const std::string& point) {
  if (std::any_of(points.begin(), points.end(), [&](const auto& listed) { return listed.point.name == point; }))
    throw Error(Code::usage, fmt::format("'{}' is a machine: write {}@latest, or {}@TIME", point, point, point));
  std::vector<const ListedPoint*> all;
  for (const auto& listed : points) all.push_back(&listed);
  if (all.empty()) throw Error(Code::usage, "no restore point '" + point + "': there are none yet");
  throw Error(Code::usage,
              fmt::format("no restore point '{}'; there are {}", point, candidates(all, digits_needed(points))));
}

const ListedPoint& find_by_id(const std::vector<ListedPoint>& points, const std::string& point) {
  std::vector<const ListedPoint*> found;
  if (point.size() >= kMinDigits && is_hex(point))
    for (const auto& listed : points)
      if (backup::hex(listed.point.id).starts_with(point)) found.push_back(&listed);
  if (found.size() == 1) return *found.front();
  if (found.empty()) throw_no_id(points, point);
  throw Error(Code::usage, fmt::format("'{}' is {} restore points: {}", point, found.size(),
                                       candidates(found, digits_needed(points))));
}

std::tm broken_down(std::time_t time) {
  std::tm parts{};
  ::localtime_r(&time, &parts);
  return parts;
}

// Whether it was a day of the calendar: mktime() takes the 31st of February for a day in March.
bool is_same_day(const std::tm& a, const std::tm& b) {
  return a.tm_year == b.tm_year && a.tm_mon == b.tm_mon && a.tm_mday == b.tm_mday;
}

}  // namespace

PointWord parse_point_word(std::string_view word) {
  const std::size_t end = end_of_point(word);
  PointWord parsed{.point = std::string(word.substr(0, end)), .disk = std::nullopt, .path = std::nullopt};
  if (parsed.point.empty()) throw Error(Code::usage, fmt::format("'{}' names no restore point", word));
  if (end == word.size()) return parsed;
  const std::string_view rest = word.substr(end + 1);
  if (rest.starts_with('/')) {
    parsed.path = std::string(rest);
    return parsed;
  }
  const std::size_t colon = std::min(rest.find(":/"), rest.size());
  parsed.disk = std::string(rest.substr(0, colon));
  if (parsed.disk->empty()) throw Error(Code::usage, fmt::format("'{}' names no disk after the colon", word));
  if (colon < rest.size()) parsed.path = std::string(rest.substr(colon + 1));
  return parsed;
}

const ListedPoint& find_point(const std::vector<ListedPoint>& points, const std::string& point) {
  return point.find('@') == std::string::npos ? find_by_id(points, point) : find_by_time(points, point);
}

const backup::DiskPoint& find_disk(const ListedPoint& listed, const std::optional<std::string>& disk) {
  const auto& disks = listed.point.disks;
  if (listed.point.area)
    throw Error(Code::usage, fmt::format("restore point {} is of files, not of disks: write {}:/PATH",
                                         short_id(listed.point.id), short_id(listed.point.id)));
  if (!disk && disks.size() == 1) return disks.front();
  std::string names;
  for (const auto& known : disks) {
    if (disk && known.disk == *disk) return known;
    names += (names.empty() ? "" : ", ") + known.disk;
  }
  throw Error(Code::usage, disk ? fmt::format("restore point {} has no disk '{}': its disks are {}",
                                              short_id(listed.point.id), *disk, names)
                                : fmt::format("restore point {} has several disks: name one of {} after a colon",
                                              short_id(listed.point.id), names));
}

sys_seconds parse_point_time(std::string_view text) {
  static const std::regex kTime(R"((\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d))?)?(Z?))");
  std::match_results<std::string_view::const_iterator> match;
  const auto fail = [&]() -> Error {
    return {Code::usage,
            fmt::format("'{}' is no time: write latest, 2026-11-22 or 2026-11-22T02:00, or with Z for UTC", text)};
  };
  if (!std::regex_match(text.begin(), text.end(), match, kTime)) throw fail();
  const auto number = [&](std::size_t part, int otherwise) {
    return match[part].matched ? std::stoi(match[part].str()) : otherwise;
  };
  std::tm wanted{};
  wanted.tm_year = number(1, 0) - 1900;
  wanted.tm_mon = number(2, 0) - 1;
  wanted.tm_mday = number(3, 0);
  // Of a day, or a minute, its last second: a point of 02:00:14 is one of 02:00.
  wanted.tm_hour = number(4, 23);
  wanted.tm_min = number(5, 59);
  wanted.tm_sec = number(6, 59);
  wanted.tm_isdst = -1;
  std::tm made = wanted;
  const std::time_t time = match[7].length() != 0 ? ::timegm(&made) : std::mktime(&made);
  if (wanted.tm_hour > 23 || wanted.tm_min > 59 || wanted.tm_sec > 59 || !is_same_day(made, wanted)) throw fail();
  return std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::from_time_t(time));
}

std::string local_time(sys_seconds time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}", broken_down(std::chrono::system_clock::to_time_t(time)));
}

std::size_t digits_needed(const std::vector<ListedPoint>& points) {
  std::set<std::string> ids;
  for (const auto& listed : points) ids.insert(backup::hex(listed.point.id));
  std::size_t digits = kShortDigits;
  const std::string* before = nullptr;
  for (const auto& id : ids) {
    if (before != nullptr) {
      const auto differs = std::mismatch(id.begin(), id.end(), before->begin()).first;
      digits = std::max(digits, static_cast<std::size_t>(differs - id.begin()) + 1);
    }
    before = &id;
  }
  return digits;
}

std::string short_id(const backup::ObjectId& id, std::size_t digits) { return backup::hex(id).substr(0, digits); }

}  // namespace muster::cli
