#include "cli/backup_create_areas.h"

#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backup/area_intake.h"
#include "base/error.h"
#include "cli/area_hosts.h"
#include "cli/backup_commands.h"
#include "cli/backup_create_many.h"
#include "cli/environment.h"
#include "cli/size_text.h"

namespace muster::cli {
namespace {

using backup::RestorePoint;
using base::Code;
using base::Error;
using nlohmann::json;

constexpr Noun kAreas{"area", "areas"};

std::string label_of(const FoundArea& area) {
  return area.host_name.empty() ? area.path : area.host_name + ":" + area.path;
}

std::vector<FoundArea> find_all(AreaHosts& hosts, const std::vector<std::string>& words) {
  std::vector<FoundArea> all;
  for (const auto& word : words)
    for (auto& area : hosts.find(word)) all.push_back(std::move(area));
  return all;
}

std::vector<CreationUnit> units_of(const std::vector<FoundArea>& areas, const std::string& name) {
  if (!name.empty() && areas.size() > 1)
    throw Error(Code::usage, fmt::format("--name is for one area, and these are {}", areas.size()));
  std::vector<CreationUnit> units;
  std::map<std::string, std::string> labels;
  for (const auto& area : areas) {
    const std::string host = area.host_name.empty() ? host_name() : area.host_name;
    const std::string own = name.empty() ? area_point_name(host, area.path) : name;
    backup::check_point_name(own);
    const auto [other, fresh] = labels.emplace(own, label_of(area));
    if (!fresh)
      throw Error(Code::usage, fmt::format("'{}' would be both {} and {}: back one of them up alone, with --name", own,
                                           other->second, label_of(area)));
    units.push_back(
        {.label = label_of(area),
         .name = own,
         .hook = {.name = own, .uri = {}, .domain = {}, .host = area.host_name, .status = {}, .point = {}}});
  }
  return units;
}

class AreasCreation {
 public:
  AreasCreation(const Program& program, const CreateOrder& order, const JobRun& job)
      : order_(order),
        hosts_(program),
        areas_(find_all(hosts_, order.areas)),
        units_(units_of(areas_, order.name)),
        opened_(open_repository(program)),
        many_(program, order, job, opened_, units_) {
    backup::check_holds_areas(opened_.repository.config());
    for (std::size_t unit = 0; unit < units_.size(); ++unit) {
      backup::check_area_order(source_of(unit).order);
      check_name(unit);
    }
  }

  int run() {
    return many_.run(kAreas, {.plan = [&](std::size_t unit) { return plan(unit); },
                              .create = [&](UnitRun& run, std::size_t unit) { return create(run, unit); }});
  }

 private:
  // Retention goes by names: those of one must not push out those of another.
  void check_name(std::size_t unit) const {
    const RestorePoint* latest = parent_of(unit);
    const bool same = latest == nullptr || (latest->area && latest->area->host == areas_[unit].host_name &&
                                            latest->area->path == areas_[unit].path);
    if (!same)
      throw Error(Code::usage, fmt::format("the restore points called '{}' are not of {}: write --name NAME",
                                           units_[unit].name, units_[unit].label));
  }

  const RestorePoint* parent_of(std::size_t unit) const {
    const auto& history = many_.history_of(units_[unit].name);
    return history.empty() ? nullptr : &history.back();
  }

  backup::AreaSource source_of(std::size_t unit) const {
    return {
        .host = areas_[unit].host,
        .host_name = areas_[unit].host_name,
        .order = {.path = areas_[unit].path, .excludes = order_.excludes, .one_file_system = order_.one_file_system},
        .spill_directory = temporary_directory()};
  }

  std::string plan(std::size_t unit) const {
    const auto index = backup::Index::load(opened_.context, opened_.repository);
    const RestorePoint* parent = parent_of(unit);
    const auto found = backup::look_at_area(opened_.context, opened_.repository, *index, source_of(unit),
                                            parent != nullptr ? &*parent->area : nullptr);
    return fmt::format("{} files and directories ({}), of which {} ({}) would be read", found.entries,
                       size_text(found.size_bytes), found.entries - found.unchanged, size_text(found.sent_bytes));
  }

  CreationOfMany::Made create(UnitRun& run, std::size_t unit) {
    backup::CreateRequest request = many_.request_for(units_[unit].name);
    request.consistency = "files";
    request.area = source_of(unit);
    if (const RestorePoint* parent = parent_of(unit)) request.parent = *parent;
    RestorePoint point;
    many_.watch(run, unit, [&](backup::Progress& progress) {
      point = backup::create_restore_point(opened_.context, opened_.repository, request, progress).point;
    });
    const bool complete = point.area->unread == 0;
    return {.point = std::move(point), .complete = complete};
  }

  const CreateOrder& order_;
  AreaHosts hosts_;
  const std::vector<FoundArea> areas_;
  const std::vector<CreationUnit> units_;
  const OpenedRepository opened_;
  CreationOfMany many_;
};

}  // namespace

std::string area_point_name(const std::string& host, const std::string& path) {
  std::string name = host + (path == "/" ? "-root" : path);
  for (char& c : name)
    if (c == '/')
      c = '-';
    else if (c == '@' || c == ':' || static_cast<unsigned char>(c) < ' ')
      c = '_';
  return name;
}

int create_of_areas(const Program& program, const CreateOrder& order, const JobRun& job) {
  return with_metrics_of_failures(program, job, [&] { return AreasCreation(program, order, job).run(); });
}

}  // namespace muster::cli
