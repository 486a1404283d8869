// muster backup tag, pin: what is known of restore points that may change.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/backup_commands.h"
#include "cli/backup_point.h"
#include "cli/backup_points.h"
#include "cli/json_lines.h"

namespace muster::cli {
namespace {

using backup::LabelChange;
using backup::ListedPoint;

// The points that are meant, and what is to change of each.
struct Order {
  std::vector<std::string> points;
  LabelChange change;
};

Order order_of(const BackupCommand& command) {
  const bool remove = command.program.settings.flag("remove");
  const auto& words = command.words;
  if (words.size() < (command.verb == "tag" ? 2U : 1U)) command.explain();
  if (command.verb == "pin") return {.points = words, .change = {.pin = !remove}};
  const std::vector<std::string> tags(words.begin() + 1, words.end());
  for (const auto& tag : tags) backup::check_tag(tag);
  if (remove) return {.points = {words.front()}, .change = {.remove = tags}};
  return {.points = {words.front()}, .change = {.add = tags}};
}

std::string told(const ListedPoint& listed, const backup::Labels& labels) {
  std::string tags;
  for (const auto& tag : labels.tags) tags += (tags.empty() ? "" : ",") + tag;
  return fmt::format("{} ({}@{}): {}{}", short_id(listed.point.id), listed.point.name, local_time(listed.point.time),
                     tags.empty() ? "no tags" : "tags " + tags, labels.pinned ? ", pinned" : "");
}

}  // namespace

int backup_label(const BackupCommand& command) {
  const Program& program = command.program;
  const Order order = order_of(command);
  const auto opened = open_repository(program);
  auto found = read_points(opened);
  // All are found before any is changed.
  std::vector<const ListedPoint*> meant;
  for (const auto& text : order.points) {
    const PointWord word = parse_point_word(text);
    if (word.disk || word.path) command.explain();
    meant.push_back(&find_point(found.points, word.point));
  }
  const bool plan = program.settings.flag("dry-run");
  if (!plan)
    for (const auto* listed : meant)
      backup::change_labels(opened.context, opened.repository, listed->point.id, order.change);
  if (!plan) found.changes = backup::read_labels(opened.context, opened.repository);
  for (const auto* listed : meant) {
    auto labels = found.labels(*listed);
    if (plan) labels = backup::changed(std::move(labels), order.change);
    tell(program, (plan ? "would be " : "") + told(*listed, labels));
    if (program.json())
      program.console.out(json_line("result", {{"point", backup::hex(listed->point.id)},
                                               {"name", listed->point.name},
                                               {"tags", labels.tags},
                                               {"pinned", labels.pinned}}));
  }
  return close_backup(program, plan ? nlohmann::json{{"plan", command.verb}} : nlohmann::json::object(), 0);
}

}  // namespace muster::cli
