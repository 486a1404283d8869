#include "vm/change_record.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "disk/image_file.h"
#include "virt/backup_job.h"
#include "virt/domain_xml.h"
#include "virt/moments.h"

namespace muster::vm {
namespace {

// With what the names of all repositories' checkpoints begin.
constexpr std::string_view kOwn = "muster-";

std::vector<std::string> own_checkpoints(const virt::Domain& domain) {
  auto names = virt::checkpoint_names(domain);
  std::erase_if(names, [](const std::string& name) { return !name.starts_with(kOwn); });
  return names;
}

// An image at the same path of another host is not taken for it: a name that nobody can guess is in this one alone.
void drop_offline(const base::Context& ctx, const virt::Domain& domain, const std::vector<std::string>& names) {
  for (const auto& element : virt::DomainXml(domain.xml(virt::Domain::Xml::definition)).disks()) {
    if (element.format != "qcow2" || !std::filesystem::exists(element.source)) continue;
    for (const auto& bitmap : disk::image_facts(ctx, element.source, disk::ImageFormat::qcow2).bitmaps)
      if (std::find(names.begin(), names.end(), bitmap.name) != names.end())
        disk::drop_bitmap(ctx, element.source, bitmap.name);
  }
  for (const auto& name : names) virt::forget(domain, virt::MomentKind::checkpoint, name);
}

}  // namespace

void drop_change_records(const base::Context& ctx, const virt::Domain& domain) {
  const auto names = own_checkpoints(domain);
  if (names.empty()) return;
  if (virt::running_job(domain))
    throw base::Error(base::Code::busy, "a backup of '" + domain.name() + "' is under way: wait for its end");
  if (!domain.active()) return drop_offline(ctx, domain, names);
  for (const auto& name : names) virt::delete_checkpoint(domain, name);
}

}  // namespace muster::vm
