#include "clone/forgotten_files.h"

#include <array>

namespace muster::clone {
namespace {

struct Forgotten {
  const char* directory;
  const char* pattern;  // as of the shell
};

constexpr auto kForgotten = std::to_array<Forgotten>({
    // Leases, and the identities by which they are asked for.
    {"/var/lib/dhcp", "*.lease*"},
    {"/var/lib/dhclient", "*.lease*"},
    {"/var/lib/dhcpcd", "*"},
    {"/var/lib/dhcpcd5", "*"},
    {"/etc", "dhcpcd.duid"},
    {"/etc", "dhcpcd.secret"},
    {"/var/lib/NetworkManager", "*.lease"},
    {"/var/lib/NetworkManager", "secret_key"},
    {"/var/lib/NetworkManager", "timestamps"},
    {"/var/lib/NetworkManager", "seen-bssids"},
    {"/var/lib/wicked", "*.xml"},
    {"/etc/udev/rules.d", "70-persistent-net.rules"},
    // systemd's.
    {"/var/lib/systemd", "credential.secret"},
    // An instance of cloud-init, where that is there and gets no seed.
    {"/var/lib/cloud", "instance"},
    {"/var/lib/cloud/data", "*instance-id"},
    // Of services that know their machines by what lies on their disks.
    {"/etc/salt", "minion_id"},
    {"/etc/salt/pki/minion", "minion.p*"},
    {"/etc/puppetlabs/puppet/ssl/private_keys", "*.pem"},
    {"/etc/puppetlabs/puppet/ssl/public_keys", "*.pem"},
    {"/etc/puppetlabs/puppet/ssl/certs", "*.pem"},
    {"/etc/puppetlabs/puppet/ssl/certificate_requests", "*.pem"},
    {"/var/lib/puppet/ssl/private_keys", "*.pem"},
    {"/var/lib/puppet/ssl/public_keys", "*.pem"},
    {"/var/lib/puppet/ssl/certs", "*.pem"},
    {"/var/lib/tailscale", "tailscaled.state"},
    {"/var/lib/zerotier-one", "identity.*"},
    {"/var/lib/docker", "engine-id"},
    {"/etc/docker", "key.json"},
    {"/etc/pki/consumer", "*.pem"},
    {"/etc/pki/entitlement", "*.pem"},
    {"/etc/insights-client", "machine-id"},
    {"/etc/insights-client", ".registered"},
    {"/var/lib/landscape/client", "*.bpickle"},
});

}  // namespace

void forget_former_identity(GuestTree& guest) {
  for (const auto& [directory, pattern] : kForgotten) guest.forget(directory, pattern);
}

}  // namespace muster::clone
