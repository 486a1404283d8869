#include "cli/machine_point.h"

#include <fmt/format.h>

#include "cli/version.h"

namespace muster::cli {
namespace {

// It costs time, and is no failure.
void tell_whole(const base::Context& ctx, const MachineOrder& order, const backup::CreateRequest& request,
                const std::vector<backup::RestorePoint>& history) {
  if (history.empty() || !history.back().machine || history.back().machine->checkpoint.empty()) return;
  for (const auto& disk : request.disks)
    if (!disk.whole_because.empty())
      ctx.note(fmt::format("{}: disk {} is read whole: {}", order.target.name, disk.disk, disk.whole_because));
}

}  // namespace

MachinePoint create_machine_point(const MachineSources& sources, const MachineOrder& order,
                                  const std::vector<backup::RestorePoint>& history, backup::RateLimit* rate,
                                  backup::Progress& progress) {
  backup::CreateRequest request{.name = order.name,
                                .tool = fmt::format("muster {}", kVersion),
                                .consistency = {},
                                .tags = order.tags,
                                .with_base = order.with_base,
                                .audit_parts = order.audit_parts,
                                .rate = rate,
                                .options = order.options};
  MachineBackup machine(sources, order.target, history);
  machine.describe(request);
  tell_whole(sources.ctx, order, request, history);
  MachinePoint made{.point = {}, .held = machine.held()};
  try {
    made.point = backup::create_restore_point(sources.ctx, sources.repository, request, progress).point;
  } catch (const base::Error& e) {
    request.disks.clear();  // whose readers go
    machine.explain_failure(e);
    throw;
  }
  machine.finish();
  return made;
}

}  // namespace muster::cli
