// How long libvirt waits for the guest agent of a domain: as long as this lives as given, afterwards its usual time
// again, for libvirt keeps the time for everybody. Drivers that cannot set it have no agent that could hang. For .cc
// files in virt/ only.
#pragma once

#include <libvirt/libvirt.h>

#include "virt/domain.h"

namespace muster::virt {

class AgentPatience {
 public:
  AgentPatience(const Domain& domain, int seconds) : domain_(domain) {
    virDomainAgentSetResponseTimeout(domain.handle(), seconds, 0);
  }
  AgentPatience(const AgentPatience&) = delete;
  AgentPatience& operator=(const AgentPatience&) = delete;
  ~AgentPatience() { virDomainAgentSetResponseTimeout(domain_.handle(), VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_DEFAULT, 0); }

 private:
  Domain domain_;
};

}  // namespace muster::virt
