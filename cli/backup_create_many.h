// What making restore points of many units, machines or areas, has in common: their histories, commands before and
// after, --dry-run, one result and one outcome for each, and what follows. Main's thread, but for the work on a unit.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "backup/create.h"
#include "backup/restore_point.h"
#include "cli/backup_create_order.h"
#include "cli/backup_follow_up.h"
#include "cli/backup_hooks.h"
#include "cli/backup_job.h"
#include "cli/backup_metrics.h"
#include "cli/unit_run.h"

namespace muster::cli {

struct CreationUnit {
  std::string label;  // in lines and messages
  std::string name;   // of its restore points
  HookFacts hook{};   // `name`, `uri`, `domain`
  nlohmann::json identity() const;
};

class CreationOfMany {
 public:
  CreationOfMany(const Program& program, const CreateOrder& order, const JobRun& job, const OpenedRepository& opened,
                 std::vector<CreationUnit> units);

  struct Made {
    backup::RestorePoint point;
    std::function<void(nlohmann::json& result)> add_fields{};
    bool complete = true;  // else the run as a whole worked in part
  };
  // What one unit is about. Called from threads; what they throw is that unit's failure.
  struct Work {
    std::function<std::string(std::size_t unit)> plan;  // what would be done, without the comparison
    std::function<Made(UnitRun& run, std::size_t unit)> create;
    // May wait; what it returns is kept while the unit is at work, commands before and after included. Empty: nothing.
    std::function<std::shared_ptr<void>(std::size_t unit)> occupy{};
  };
  // Returns the exit status.
  int run(const Noun& noun, const Work& work);

  // Of one name, by time.
  const std::vector<backup::RestorePoint>& history_of(const std::string& name) const;
  // What they all have: tool, tags, options, the rate. Without a parent.
  backup::CreateRequest request_for(const std::string& name);
  const std::string& name_of(std::size_t unit) const { return units_[unit].name; }
  // Shows how far `work` is.
  void watch(UnitRun& run, std::size_t unit, const std::function<void(backup::Progress& progress)>& work) const;

 private:
  void check();
  void read_points();
  nlohmann::json one(UnitRun& run, const Work& work, std::size_t unit);
  nlohmann::json plan(const Work& work, std::size_t unit);
  nlohmann::json create_with_hooks(UnitRun& run, const Work& work, std::size_t unit);
  nlohmann::json create(UnitRun& run, const Work& work, std::size_t unit);
  int follow(nlohmann::json& summary);
  std::optional<std::string> metrics_path() const;

  const Program& program_;
  const CreateOrder& order_;
  const JobRun& job_;
  const OpenedRepository& opened_;
  const std::vector<CreationUnit> units_;
  const base::TimePoint began_ = base::Clock::now();
  backup::RateLimit rate_;                                            // of all
  std::map<std::string, std::vector<backup::RestorePoint>> history_;  // of each name, by time
  bool with_base_ = false;
  std::vector<BackupOutcome> outcomes_;  // each one unit's
  std::mutex mutex_;
  FollowUp after_;
  std::map<std::string, std::uint64_t> totals_;
  bool incomplete_ = false;
};

// Runs `creation`; what it throws is in the metrics as well.
int with_metrics_of_failures(const Program& program, const JobRun& job, const std::function<int()>& creation);

}  // namespace muster::cli
