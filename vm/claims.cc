#include "vm/claims.h"

#include "base/error.h"
#include "disk/image_claim.h"
#include "virt/domain_xml.h"
#include "virt/image_files.h"
#include "virt/storage.h"

namespace muster::vm {

void check_unclaimed(const base::Context& ctx, const virt::Connection& connection, const std::string& image) {
  if (!image.starts_with('/')) return;
  if (const auto next = virt::volume_of_path(connection, disk::next_claim_file(image))) {
    const std::string text = virt::download(ctx, *next, disk::kMaxClaimBytes);
    if (disk::is_whole_claim(text)) throw disk::claimed(image, text);
  }
  if (const auto claim = virt::volume_of_path(connection, disk::claim_file(image)))
    throw disk::claimed(image, virt::download(ctx, *claim, disk::kMaxClaimBytes));
  if (connection.is_of_this_host()) disk::check_unclaimed(image);
}

void check_unclaimed(const base::Context& ctx, const virt::Connection& connection, const virt::Domain& domain) {
  for (const auto& disk : virt::DomainXml(domain.xml(virt::Domain::Xml::definition)).disks())
    if (disk.device == "disk" && !disk.read_only) check_unclaimed(ctx, connection, virt::image_path(connection, disk));
}

}  // namespace muster::vm
