#include "virt/addresses.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>

#include <libvirt/libvirt.h>

#include "virt/agent_patience.h"

namespace muster::virt {
namespace {

constexpr int kAgentSeconds = 3;
constexpr std::array kSources{AddressSource::leases, AddressSource::agent, AddressSource::arp};

unsigned number_of(AddressSource source) {
  switch (source) {
    case AddressSource::leases:
      return VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE;
    case AddressSource::agent:
      return VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT;
    case AddressSource::arp:
      return VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP;
  }
  return VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE;
}

bool reaches_others(const std::string& address) {
  return !address.starts_with("127.") && address != "::1" && !address.starts_with("fe80:") &&
         !address.starts_with("169.254.");
}

}  // namespace

std::vector<GuestAddress> addresses(const Domain& domain, AddressSource source) {
  // An agent that does not answer would hold libvirt's lock on the domain for as long as it likes.
  std::optional<AgentPatience> patience;
  if (source == AddressSource::agent) patience.emplace(domain, kAgentSeconds);
  virDomainInterfacePtr* interfaces = nullptr;
  const int count = virDomainInterfaceAddresses(domain.handle(), &interfaces, number_of(source), 0);
  std::vector<GuestAddress> found;
  for (int i = 0; i < count; ++i) {
    for (unsigned a = 0; a < interfaces[i]->naddrs; ++a) {
      const auto& address = interfaces[i]->addrs[a];
      if (reaches_others(address.addr))
        found.push_back({.interface = interfaces[i]->name,
                         .mac = interfaces[i]->hwaddr == nullptr ? "" : interfaces[i]->hwaddr,
                         .address = address.addr,
                         .prefix = static_cast<int>(address.prefix)});
    }
    virDomainInterfaceFree(interfaces[i]);
  }
  std::free(interfaces);
  return found;
}

std::vector<GuestAddress> addresses(const Domain& domain) {
  for (const auto source : kSources)
    if (auto found = addresses(domain, source); !found.empty()) return found;
  return {};
}

std::vector<GuestAddress> all_addresses(const Domain& domain) {
  std::vector<GuestAddress> all;
  for (const auto source : kSources)
    for (auto& found : addresses(domain, source))
      if (std::none_of(all.begin(), all.end(), [&](const auto& one) { return one.address == found.address; }))
        all.push_back(std::move(found));
  return all;
}

}  // namespace muster::virt
