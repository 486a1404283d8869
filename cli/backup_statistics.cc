// muster backup stats: what a repository holds, and what that costs, for each machine.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backup/index.h"
#include "backup/statistics.h"
#include "cli/backup_commands.h"
#include "cli/backup_repository.h"
#include "cli/json_lines.h"
#include "cli/size_text.h"
#include "cli/text_table.h"

namespace muster::cli {
namespace {

using backup::MachineStatistics;

std::vector<std::string> row_of(const std::string& name, const MachineStatistics& statistics) {
  return {name,
          std::to_string(statistics.points),
          size_text(statistics.logical_bytes),
          size_text(statistics.named_bytes),
          size_text(statistics.unique_bytes),
          size_text(statistics.stored_bytes),
          size_text(statistics.own_bytes)};
}

nlohmann::json fields_of(const MachineStatistics& statistics) {
  return {{"points", statistics.points},
          {"logical_bytes", statistics.logical_bytes},
          {"named_bytes", statistics.named_bytes},
          {"unique_bytes", statistics.unique_bytes},
          {"stored_bytes", statistics.stored_bytes},
          {"own_bytes", statistics.own_bytes}};
}

void show_tables(const Program& program, const backup::RepositoryStatistics& statistics) {
  TextTable table({"NAME", "POINTS", "SIZE", "NOT ZERO", "DISTINCT", "STORED", "OWN"});
  for (const auto& [name, machine] : statistics.machines) table.add_row(row_of(name, machine));
  if (!statistics.machines.empty()) table.add_row(row_of("(all)", statistics.total));
  program.console.out(table.text());
  program.console.out(fmt::format("{} packs with {}, indexes {}, others {}\n", statistics.packs,
                                  size_text(statistics.pack_bytes), size_text(statistics.index_bytes),
                                  size_text(statistics.other_bytes)));
}

}  // namespace

int backup_stats(const BackupCommand& command) {
  const Program& program = command.program;
  command.no_words();
  const auto opened = open_repository(program);
  const auto& [ctx, repository] = opened;
  const auto statistics = backup::statistics(ctx, repository, *backup::Index::load(ctx, repository));
  if (!program.json()) show_tables(program, statistics);
  if (program.json())
    for (const auto& [name, machine] : statistics.machines) {
      auto fields = fields_of(machine);
      fields["name"] = name;
      program.console.out(json_line("result", fields));
    }
  auto summary = fields_of(statistics.total);
  summary["packs"] = statistics.packs;
  summary["pack_bytes"] = statistics.pack_bytes;
  summary["index_bytes"] = statistics.index_bytes;
  summary["other_bytes"] = statistics.other_bytes;
  return close_backup(program, summary, 0);
}

}  // namespace muster::cli
