#include "virt/domain_list.h"

#include <cstdlib>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "virt/snapshot_handles.h"

namespace muster::virt {
namespace {

unsigned filter_of(Trait trait) {
  switch (trait) {
    case Trait::autostart:
      return VIR_CONNECT_LIST_DOMAINS_AUTOSTART;
    case Trait::persistent:
      return VIR_CONNECT_LIST_DOMAINS_PERSISTENT;
    case Trait::has_snapshots:
      return VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT;
    case Trait::has_saved_image:
      return VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE;
  }
  return 0;
}

}  // namespace

void for_each_domain(const base::Context& ctx, const Connection& connection,
                     const std::function<void(const Domain&)>& look) {
  for (const auto& domain : connection.domains()) {
    ctx.check_stop();
    try {
      look(domain);
    } catch (const base::Error& e) {
      if (e.code() != base::Code::not_found) throw;
    }
  }
}

std::set<std::string> uuids_with(const Connection& connection, Trait trait) {
  virDomainPtr* list = nullptr;
  const int count = virConnectListAllDomains(connection.handle(), &list, filter_of(trait));
  std::set<std::string> uuids;
  for (int i = 0; i < count; ++i) uuids.insert(Domain::adopt(list[i]).uuid());
  std::free(list);
  return uuids;
}

std::size_t snapshot_count(const Domain& domain) {
  const int count = virDomainSnapshotNum(domain.handle(), 0);
  return count < 0 ? 0 : static_cast<std::size_t>(count);
}

std::vector<std::string> snapshot_names(const Domain& domain) {
  std::vector<std::string> names;
  if (const auto handles = snapshot_handles(domain))
    for (const auto& handle : *handles) names.emplace_back(virDomainSnapshotGetName(handle.get()));
  return names;
}

}  // namespace muster::virt
