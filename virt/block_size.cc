#include "virt/block_size.h"

#include <libvirt/libvirt.h>

#include "virt/libvirt_error.h"

namespace muster::virt {

void grow_running(const Domain& domain, const std::string& target, std::uint64_t size_bytes) {
  if (virDomainBlockResize(domain.handle(), target.c_str(), size_bytes, VIR_DOMAIN_BLOCK_RESIZE_BYTES) != 0)
    throw_last("grow disk " + target + " of '" + domain.name() + "'");
}

}  // namespace muster::virt
