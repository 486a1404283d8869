// Times what every command does first: load an inventory of 10,000 hosts in 200 groups with variables, match `all`,
// resolve how each host is reached. And the folding of 100,000 names. The aims: 0.3 s together, and 1 s.
#include "inventory/inventory.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include "inventory/connection.h"
#include "inventory/host_pattern.h"
#include "inventory/name_folding.h"

namespace {

using namespace muster;
using Clock = std::chrono::steady_clock;

constexpr int kHosts = 10'000;
constexpr int kGroups = 200;
constexpr int kGroupFiles = 40;
constexpr int kNames = 100'000;
constexpr int kRounds = 5;

void write(const std::filesystem::path& path, const std::string& text) { std::ofstream(path) << text; }

void write_inventory(const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory / "group_vars");
  std::string text = "all:\n  vars:\n    ansible_user: admin\n  children:\n";
  for (int group = 0; group < kGroups; ++group) {
    text += fmt::format("    group{0:03}:\n      vars:\n        site: dc{0}\n        tier: {1}\n      hosts:\n", group,
                        group % 3);
    for (int host = group; host < kHosts; host += kGroups)
      text += fmt::format(
          "        vm{0:05}:\n          ansible_host: 10.{1}.{2}.{3}\n          ansible_port: 22\n          rack: "
          "r{4}\n",
          host, host / 62500, host / 250 % 250, host % 250 + 1, host % 40);
  }
  write(directory / "hosts.yaml", text);
  write(directory / "group_vars" / "all.yml", "ntp: [a.example, b.example]\nproxy_jump: bastion\n");
  for (int group = 0; group < kGroupFiles; ++group)
    write(directory / "group_vars" / fmt::format("group{:03}.yml", group), "package: nginx\nworkers: 4\n");
}

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

struct Times {
  double load = 0, match = 0, facts = 0, all = 0;
};

Times time_inventory(const std::string& source) {
  const base::Context ctx;
  Times times;
  const auto begin = Clock::now();
  const inventory::Inventory fleet = inventory::load(ctx, {source});
  times.load = seconds_since(begin);
  const auto matched = inventory::select(ctx, fleet, "all", "").hosts;
  times.match = seconds_since(begin) - times.load;
  std::size_t addresses = 0;
  for (const auto host : matched) addresses += inventory::connection_facts(fleet, host).address->size();
  times.all = seconds_since(begin);
  times.facts = times.all - times.load - times.match;
  if (matched.size() != kHosts || addresses == 0) std::puts("wrong result");
  return times;
}

double time_folding() {
  std::vector<std::string> names;
  for (int i = 0; i < kNames; ++i) names.push_back(fmt::format("rack{}-node{:04}", i / 2000, i % 2000));
  const auto begin = Clock::now();
  const std::string folded = inventory::fold_names(names);
  if (folded.empty()) std::puts("wrong result");
  return seconds_since(begin);
}

}  // namespace

int main() {
  const auto directory = std::filesystem::temp_directory_path() / fmt::format("muster-bench-{}", ::getpid());
  write_inventory(directory);
  Times best{.load = 0, .match = 0, .facts = 0, .all = 1e9};
  for (int round = 0; round < kRounds; ++round) {
    const Times times = time_inventory((directory / "hosts.yaml").string());
    if (times.all < best.all) best = times;
  }
  std::filesystem::remove_all(directory);
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  fmt::print("{} hosts, {} groups: load {:.3f} s, match {:.4f} s, facts {:.3f} s, together {:.3f} s; peak {} MiB\n",
             kHosts, kGroups, best.load, best.match, best.facts, best.all, usage.ru_maxrss / 1024);
  fmt::print("fold {} names: {:.3f} s\n", kNames, time_folding());
}
