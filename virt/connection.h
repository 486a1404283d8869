// A connection to one hypervisor, by its libvirt URI. Every call may block as long as libvirt and the peer do, and
// cannot be cancelled: where a peer may hang, connections are opened and used in a process that can be killed
// (design.md). Thread-safe, as libvirt's are.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "virt/domain.h"

struct _virConnect;  // libvirt's own name. NOLINT(bugprone-reserved-identifier)

namespace muster::virt {

class Connection {
 public:
  // Throws base::Error{unreachable} when nothing answers, {unsupported} for a driver this libvirt does not have,
  // {usage} for what is no URI.
  explicit Connection(const std::string& uri);

  const std::string& uri() const { return uri_; }
  // Its paths are this machine's: the URI names no other host. What is forwarded from elsewhere looks alike.
  bool is_of_this_host() const { return uri_.find(":///") != std::string::npos; }
  // QEMU, LXC, Xen, ESX, VBOX, Test, ... as libvirt names it.
  std::string driver() const;
  std::string host_name() const;
  bool alive() const;

  // All, running or not, in no order.
  std::vector<Domain> domains() const;
  // By name, else by UUID. Throws base::Error{not_found}.
  Domain domain(const std::string& name_or_uuid) const;
  std::optional<Domain> find_domain(const std::string& name_or_uuid) const;

  // Registers a persistent domain, or changes the one of the same name and UUID. Throws base::Error{usage} for XML that
  // libvirt does not take, {refused} for a name or UUID that another domain has.
  Domain define(const std::string& xml) const;
  // Of what libvirt wrote, or we: against the schema it is not held, which takes libvirt ten times as long as the rest.
  Domain define_as_known(const std::string& xml) const;

  // The XML of virConnectGetCapabilities.
  std::string capabilities_xml() const;

  _virConnect* handle() const { return handle_.get(); }

 private:
  std::string uri_;
  std::shared_ptr<_virConnect> handle_;
};

}  // namespace muster::virt
