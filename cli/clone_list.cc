// muster clone list: which machines are clones, and of what.
#include <algorithm>
#include <mutex>
#include <tuple>

#include <nlohmann/json.hpp>

#include "cli/clone_commands.h"
#include "cli/generation_text.h"
#include "cli/json_lines.h"
#include "cli/text_table.h"
#include "cli/unit_run.h"
#include "cli/vm_run.h"

namespace muster::cli {
namespace {

using nlohmann::json;

constexpr std::chrono::minutes kListPatience{2};

// By master, generation and name: the tree, as lines.
void sort(std::vector<json>& clones) {
  const auto key = [](const json& clone) {
    return std::tuple(clone.value("master", ""), clone.value("generation", 0), clone.value("name", ""));
  };
  std::sort(clones.begin(), clones.end(), [&](const json& a, const json& b) { return key(a) < key(b); });
}

void print(const Program& program, std::vector<json>& clones) {
  sort(clones);
  TextTable table({"MASTER", "CLONE", "KIND", "STATE", "SINCE", "HYPERVISOR"});
  for (const auto& clone : clones) {
    if (program.json()) {
      program.console.out(json_line("result", clone));
      continue;
    }
    if (program.settings.flag("names")) {
      program.console.out(clone.value("name", "") + "\n");
      continue;
    }
    table.add_row({generation_text(clone), clone.value("name", ""), clone.value("kind", ""), clone.value("state", ""),
                   clone.value("since", ""), clone.value("uri", "")});
  }
  if (!program.json() && !program.settings.flag("names")) program.console.out(table.text());
}

}  // namespace

int clone_list(const VerbCommand& command) {
  if (command.words.size() > 1) command.only_word();
  const std::string wanted = command.words.empty() ? "" : command.words.front();
  const HostNames uris = all_hypervisors(command.program);
  std::mutex mutex;
  std::vector<json> clones;
  const auto task = [&](std::size_t number, ssh::OutputSink&) {
    return report_of([&] {
      const json answer = command.workers.call(uris[number], "clone_list", json::object(), kListPatience);
      const std::lock_guard lock(mutex);
      for (json clone : answer.at("clones")) {
        if (!wanted.empty() && clone.value("master", "") != wanted && generation_text(clone) != wanted) continue;
        clone["uri"] = uris[number];
        clones.push_back(std::move(clone));
      }
    });
  };
  return UnitRun(command.program, uris, kHypervisors, Closing::failures_only).execute(task, nullptr, [&] {
    print(command.program, clones);
  });
}

}  // namespace muster::cli
