#include "virt/block_pull.h"

#include <string_view>

#include <libvirt/libvirt.h>
#include <pugixml.hpp>

#include "virt/libvirt_error.h"

namespace muster::virt {
namespace {

std::string of(const Domain& domain, const std::string& target) {
  return " disk " + target + " of '" + domain.name() + "'";
}

}  // namespace

void start_pull(const Domain& domain, const std::string& target, std::uint64_t bytes_per_second) {
  if (virDomainBlockPull(domain.handle(), target.c_str(), static_cast<unsigned long>(bytes_per_second),
                         VIR_DOMAIN_BLOCK_PULL_BANDWIDTH_BYTES) != 0)
    throw_last("move" + of(domain, target));
}

std::optional<PullProgress> pull_progress(const Domain& domain, const std::string& target) {
  virDomainBlockJobInfo info{};
  const int found = virDomainGetBlockJobInfo(domain.handle(), target.c_str(), &info, 0);
  if (found < 0) throw_last("ask how far is" + of(domain, target));
  if (found == 0) return std::nullopt;
  return PullProgress{info.cur, info.end};
}

void end_pull(const Domain& domain, const std::string& target) {
  if (!pull_progress(domain, target)) return;
  if (virDomainBlockJobAbort(domain.handle(), target.c_str(), 0) != 0 && pull_progress(domain, target))
    throw_last("stop moving" + of(domain, target));
}

bool has_chain(const DomainXml& xml, const std::string& target) {
  for (const auto& disk : xml.root().child("devices").children("disk"))
    if (disk.child("target").attribute("dev").value() == target)
      return static_cast<bool>(disk.child("backingStore").child("source"));
  return false;
}

}  // namespace muster::virt
