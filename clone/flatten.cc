#include "clone/flatten.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "clone/clone_mark.h"
#include "virt/block_pull.h"
#include "virt/domain_xml.h"
#include "virt/image_files.h"
#include "virt/lifecycle.h"
#include "virt/metadata.h"
#include "vm/claims.h"
#include "vm/polling.h"

namespace muster::clone {
namespace {

using base::Code;
using base::Error;

constexpr const char* kFlattenPart = "flattening";

bool was_off(const virt::Domain& domain) { return virt::own_metadata_part(domain, kFlattenPart).has_value(); }

// Of a running machine QEMU knows the chain, whatever the definition says.
std::vector<std::string> chained(const virt::Domain& domain) {
  const virt::DomainXml xml(domain.xml(virt::Domain::Xml::current));
  std::vector<std::string> targets;
  for (const auto& disk : xml.disks())
    if (disk.device == "disk" && !disk.read_only && virt::has_chain(xml, disk.target)) targets.push_back(disk.target);
  return targets;
}

bool is_chained(const virt::Domain& domain, const std::string& target) {
  return virt::has_chain(virt::DomainXml(domain.xml(virt::Domain::Xml::current)), target);
}

void pull(const base::Context& ctx, const virt::Domain& domain, const std::string& target,
          const FlattenProgress& progress) {
  if (!virt::pull_progress(domain, target)) virt::start_pull(domain, target, 0);
  const auto ended = [&] {
    const auto pulled = virt::pull_progress(domain, target);
    if (pulled && progress) progress(pulled->done, pulled->total);
    return !pulled;
  };
  try {
    vm::wait_until(ctx, base::TimePoint::max(), ended);
  } catch (const Error&) {
    virt::end_pull(domain, target);
    throw;
  }
  if (is_chained(domain, target))
    throw Error(Code::io, "disk " + target + " of '" + domain.name() +
                              "' did not come to stand alone: the log of its " + "hypervisor has why");
}

// Off again, and no trace of it. One that somebody let run meanwhile is theirs.
void end_paused_run(const virt::Domain& domain) {
  if (!was_off(domain)) return;
  if (domain.active() && domain.state() == virt::State::paused) virt::power_off(domain);
  virt::drop_metadata_part(domain, kFlattenPart);
}

void start_paused(const virt::Domain& domain) {
  if (virt::has_saved_image(domain))
    throw Error(Code::refused, "'" + domain.name() +
                                   "' has saved memory, which goes with its disks as they are: start "
                                   "it, and flatten it while it runs");
  virt::put_metadata_part(domain, {.name = kFlattenPart, .attributes = {{"uuid", domain.uuid()}}});
  virt::start(domain, virt::StartAs::paused);
}

void note_independence(const virt::Domain& domain) {
  auto mark = clone_mark(domain);
  if (!mark || mark->kind == CloneKind::full) return;
  mark->kind = CloneKind::full;
  virt::put_metadata_part(domain, to_metadata(*mark));
}

}  // namespace

std::vector<std::string> built_on_others(const virt::Connection& connection, const virt::Domain& domain) {
  std::vector<std::string> targets;
  const auto disks = virt::DomainXml(domain.xml(virt::Domain::Xml::definition)).disks();
  std::set<std::string> directories;
  for (const auto& disk : disks)
    if (const auto path = virt::image_path(connection, disk); path.starts_with('/'))
      directories.insert(virt::directory_of(path));
  const auto listing = virt::list_images(connection, directories);
  for (const auto& disk : disks) {
    const auto image = listing.images.find(virt::image_path(connection, disk));
    if (disk.device == "disk" && image != listing.images.end() && !image->second.backing_path.empty())
      targets.push_back(disk.target);
  }
  return targets;
}

bool flatten(const base::Context& ctx, const virt::Connection& connection, const virt::Domain& domain,
             const FlattenProgress& progress) {
  vm::check_unclaimed(ctx, connection, domain);
  try {
    if (!domain.active()) start_paused(domain);
    const auto targets = chained(domain);
    for (const auto& target : targets) pull(ctx, domain, target, progress);
    end_paused_run(domain);
    note_independence(domain);
    return !targets.empty();
  } catch (const Error&) {
    end_paused_run(domain);
    throw;
  }
}

}  // namespace muster::clone
