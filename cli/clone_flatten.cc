// muster clone flatten: clones that need no master any more.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/clone_commands.h"
#include "cli/size_text.h"
#include "cli/vm_run.h"

namespace muster::cli {
namespace {

using nlohmann::json;

constexpr std::chrono::hours kPullPatience{24};

std::string flat_line(const VmTarget& target, const json& result) {
  if (!result.contains("disks"))
    return fmt::format("{}: {}\n", target.name,
                       result.value("changed", false) ? "stands alone now" : "stood alone already");
  const auto disks = result.at("disks").get<std::vector<std::string>>();
  return disks.empty() ? fmt::format("{}: stands alone already\n", target.name)
                       : fmt::format("{}: copy what {} lack from below\n", target.name, fmt::join(disks, ", "));
}

std::string progress_text(const json& progress) {
  return size_text(progress.value("bytes_done", std::uint64_t{0})) + " of " +
         size_text(progress.value("bytes_total", std::uint64_t{0}));
}

}  // namespace

int clone_flatten(const VerbCommand& command) {
  const auto selection = select_machines(command.program, command.workers, command.only_word(), Purpose::change);
  const bool plan = command.program.settings.flag("dry-run");
  return run_on_machines(command.program, command.workers, selection,
                         {.name = "clone_flatten",
                          .arguments =
                              [plan](const VmTarget&) {
                                return json{{"plan", plan}};
                              },
                          .patience = kPullPatience,
                          .line = flat_line,
                          .progress = progress_text});
}

}  // namespace muster::cli
