#include "cli/boot_order.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/quantity.h"
#include "base/unique_fd.h"
#include "cli/backup_point.h"
#include "cli/backup_points.h"

namespace muster::cli {
namespace {

using backup::ListedPoint;
using base::Code;
using base::Error;

constexpr std::chrono::minutes kBootPatience{5};
constexpr std::uint64_t kUsualMemory = std::uint64_t{2} << 30;
constexpr unsigned kUsualCpus = 2;
// It goes through the agent as one word of a command line.
constexpr std::size_t kMaxScriptBytes = 64U << 10;

std::uint64_t memory_of(const Settings& settings) {
  const auto text = settings.text("memory");
  return text ? base::parse_size(*text) : kUsualMemory;
}

std::string script_of(const Settings& settings) {
  const auto path = settings.text("script");
  if (!path) return "";
  std::string script = base::read_file(*path, kMaxScriptBytes);
  if (script.empty() || script.find('\0') != std::string::npos)
    settings.reject("script", *path + " is no script for a shell");
  return script;
}

bool is_pattern(const std::string& word, const std::vector<ListedPoint>& points) {
  if (word.find('@') != std::string::npos) return false;
  const auto matches = name_glob(word);
  return std::any_of(points.begin(), points.end(),
                     [&](const ListedPoint& listed) { return matches(listed.point.name); });
}

// The newest of each machine that matches.
void add_newest(const std::vector<ListedPoint>& points, const std::string& glob,
                std::vector<const ListedPoint*>& chosen) {
  const auto matches = name_glob(glob);
  std::map<std::string, const ListedPoint*> newest;
  for (const auto& listed : points)
    if (listed.point.machine && matches(listed.point.name)) newest[listed.point.name] = &listed;
  for (const auto& [name, listed] : newest) chosen.push_back(listed);
}

}  // namespace

BootOrder boot_order(const Settings& settings) {
  for (const char* option : {"read-data", "workers"})
    if (settings.given_now(option)) settings.reject(option, "not with --boot, which reads what the machine reads");
  return {.goal = vm::parse_boot_goal(settings.text("reach").value_or("agent")),
          .patience = settings.duration("boot-timeout").value_or(kBootPatience),
          .script = script_of(settings),
          .memory_bytes = memory_of(settings),
          .cpus = settings.integer("cpus", 1, 1024).value_or(kUsualCpus)};
}

std::vector<const ListedPoint*> choose_bootable(const std::vector<ListedPoint>& points,
                                                const std::vector<std::string>& words) {
  std::vector<const ListedPoint*> chosen;
  if (words.empty()) add_newest(points, "", chosen);
  for (const auto& word : words) {
    if (is_pattern(word, points)) {
      add_newest(points, word, chosen);
      continue;
    }
    const PointWord parsed = parse_point_word(word);
    if (parsed.disk) throw Error(Code::usage, "a machine boots from all its disks: leave out :" + *parsed.disk);
    chosen.push_back(&find_point(points, parsed.point));
    if (!chosen.back()->point.machine)
      throw Error(Code::usage, word + " is of images, and knows no machine that could boot");
  }
  if (chosen.empty()) throw Error(Code::usage, "no restore point of a machine matches");
  return chosen;
}

}  // namespace muster::cli
