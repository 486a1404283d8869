#include "inventory/reconcile.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace muster::inventory {
namespace {

enum class Visit : std::uint8_t { not_yet, open, done };

void remove_edge(Inventory::Content& content, GroupIndex parent, GroupIndex child) {
  std::erase(content.groups[parent].children, child);
  std::erase(content.group_records[child].parents, parent);
}

void report_cycle(const Inventory::Content& content, Report& report, GroupIndex parent, GroupIndex child) {
  const auto written = std::find_if(content.edges.begin(), content.edges.end(),
                                    [&](const ChildEdge& e) { return e.parent == parent && e.child == child; });
  const std::string& outer = content.groups[parent].name;
  const std::string& inner = content.groups[child].name;
  report.error(written->written, "group '" + inner + "' as a child of '" + outer + "' closes a cycle, as '" + outer +
                                     "' is below '" + inner + "' already; remove one of the two");
}

// Depth first with a stack of our own: a chain of groups may be long. Returns the groups, parents before children.
std::vector<GroupIndex> sorted_without_cycles(Inventory::Content& content, Report& report) {
  struct Descent {
    GroupIndex group;
    std::size_t next_child;
  };
  std::vector<Visit> visits(content.groups.size(), Visit::not_yet);
  std::vector<GroupIndex> finished;
  for (GroupIndex root = 0; root < content.groups.size(); ++root) {
    if (visits[root] != Visit::not_yet) continue;
    std::vector<Descent> stack{{.group = root, .next_child = 0}};
    visits[root] = Visit::open;
    while (!stack.empty()) {
      auto& [group, next] = stack.back();
      const auto& children = content.groups[group].children;
      if (next == children.size()) {
        visits[group] = Visit::done;
        finished.push_back(group);
        stack.pop_back();
      } else if (const GroupIndex child = children[next]; visits[child] == Visit::open) {
        report_cycle(content, report, group, child);
        remove_edge(content, group, child);
      } else {
        ++next;
        if (visits[child] == Visit::done) continue;
        visits[child] = Visit::open;
        stack.push_back({.group = child, .next_child = 0});
      }
    }
  }
  std::reverse(finished.begin(), finished.end());
  return finished;
}

void adopt_orphans(Inventory::Content& content) {
  for (GroupIndex group = 1; group < content.groups.size(); ++group)
    if (content.group_records[group].parents.empty()) content.add_child(kAll, group, {});
}

// The longest way down from `all`.
void set_depths(Inventory::Content& content, const std::vector<GroupIndex>& parents_first) {
  for (const GroupIndex group : parents_first)
    for (const GroupIndex child : content.groups[group].children)
      content.groups[child].depth = std::max(content.groups[child].depth, content.groups[group].depth + 1);
}

void set_ranks(Inventory::Content& content) {
  std::vector<GroupIndex> order(content.groups.size());
  std::iota(order.begin(), order.end(), GroupIndex{0});
  const auto key = [&](GroupIndex g) {
    return std::tie(content.groups[g].depth, content.group_records[g].priority, content.groups[g].name);
  };
  std::sort(order.begin(), order.end(), [&](GroupIndex a, GroupIndex b) { return key(a) < key(b); });
  for (std::uint32_t rank = 0; rank < order.size(); ++rank) content.group_records[order[rank]].rank = rank;
}

void settle_ungrouped(Inventory::Content& content) {
  for (HostIndex host = 0; host < content.hosts.size(); ++host) {
    auto& groups = content.hosts[host].groups;
    const bool grouped = std::any_of(groups.begin(), groups.end(), [](GroupIndex g) { return g > kUngrouped; });
    if (grouped)
      std::erase(groups, kUngrouped);
    else
      content.add_member(kUngrouped, host);
  }
  std::erase_if(content.groups[kUngrouped].hosts, [&](HostIndex host) {
    const auto& groups = content.hosts[host].groups;
    return std::find(groups.begin(), groups.end(), kUngrouped) == groups.end();
  });
}

void check_clashes(const Inventory::Content& content, Report& report) {
  for (GroupIndex group = 0; group < content.groups.size(); ++group) {
    const auto host = content.host_index.find(content.groups[group].name);
    if (host == content.host_index.end()) continue;
    const Origin& there = content.group_records[group].first;
    const std::string also = there.at.line == 0 ? std::string(", which always exists")
                                                : " (" + there.file + ":" + std::to_string(there.at.line) + ":" +
                                                      std::to_string(there.at.column) + ")";
    report.mistake(
        content.hosts[host->second].first,
        "host '" + content.groups[group].name + "' has the name of a group" + also + "; rename one of the two");
  }
}

}  // namespace

void reconcile(Inventory::Content& content, Report& report) {
  adopt_orphans(content);
  set_depths(content, sorted_without_cycles(content, report));
  adopt_orphans(content);  // where a cycle was cut and only reported
  set_ranks(content);
  settle_ungrouped(content);
  check_clashes(content, report);
  for (auto& record : content.group_records) record.variables.sort();
  for (auto& record : content.hosts) record.variables.sort();
}

}  // namespace muster::inventory
