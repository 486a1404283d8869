#include "virt/connection.h"

#include <cstdlib>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "virt/event_loop.h"
#include "virt/libvirt_error.h"
#include "virt/owned.h"

namespace muster::virt {
namespace {

using base::Code;
using base::Error;

constexpr int kKeepaliveSeconds = 5;
constexpr unsigned kKeepalives = 3;

// Nobody is there to be asked: a URI that needs a password is refused by name.
int refuse_to_ask(virConnectCredentialPtr, unsigned, void*) { return -1; }

virConnectPtr open(const std::string& uri) {
  virConnectAuth auth{.credtype = nullptr, .ncredtype = 0, .cb = refuse_to_ask, .cbdata = nullptr};
  return virConnectOpenAuth(uri.c_str(), &auth, 0);
}

[[noreturn]] void throw_not_connected(const std::string& uri) {
  try {
    throw_last("connect to " + uri);
  } catch (const Error& e) {
    if (e.code() == Code::unsupported || e.code() == Code::usage) throw;
    throw Error(Code::unreachable, e.what());
  }
}

}  // namespace

Connection::Connection(const std::string& uri) : uri_(uri) {
  silence_libvirt();
  start_event_loop();
  handle_ = std::shared_ptr<virConnect>(open(uri), [](virConnectPtr c) {
    if (c != nullptr) virConnectClose(c);
  });
  if (!handle_) throw_not_connected(uri);
  // Not every transport has keepalives; those that have none do not hang either.
  virConnectSetKeepAlive(handle_.get(), kKeepaliveSeconds, kKeepalives);
}

std::string Connection::driver() const {
  const char* type = virConnectGetType(handle());
  if (type == nullptr) throw_last("ask " + uri_ + " for its driver");
  return type;
}

std::string Connection::host_name() const {
  const OwnedText name(virConnectGetHostname(handle()));
  if (!name) throw_last("ask " + uri_ + " for its host name");
  return name.get();
}

bool Connection::alive() const { return virConnectIsAlive(handle()) == 1; }

std::vector<Domain> Connection::domains() const {
  virDomainPtr* list = nullptr;
  const int count = virConnectListAllDomains(handle(), &list, 0);
  if (count < 0) throw_last("list the domains of " + uri_);
  std::vector<Domain> all;
  for (int i = 0; i < count; ++i) all.push_back(Domain::adopt(list[i]));
  std::free(list);
  return all;
}

std::optional<Domain> Connection::find_domain(const std::string& name_or_uuid) const {
  virDomainPtr found = virDomainLookupByName(handle(), name_or_uuid.c_str());
  if (found == nullptr && last_is_not_found()) {
    found = virDomainLookupByUUIDString(handle(), name_or_uuid.c_str());
    // Most names are no UUIDs, which libvirt calls an invalid argument.
    const virErrorPtr error = virGetLastError();
    if (found == nullptr && (last_is_not_found() || (error != nullptr && error->code == VIR_ERR_INVALID_ARG)))
      return std::nullopt;
  }
  if (found == nullptr) throw_last("look up domain '" + name_or_uuid + "'");
  return Domain::adopt(found);
}

Domain Connection::domain(const std::string& name_or_uuid) const {
  auto found = find_domain(name_or_uuid);
  if (!found) throw Error(Code::not_found, "no domain '" + name_or_uuid + "' on " + uri_);
  return *found;
}

namespace {

Domain defined(const Connection& connection, const std::string& xml, unsigned flags) {
  const virDomainPtr domain = virDomainDefineXMLFlags(connection.handle(), xml.c_str(), flags);
  if (domain == nullptr) throw_last("define a domain on " + connection.uri());
  return Domain::adopt(domain);
}

}  // namespace

Domain Connection::define(const std::string& xml) const { return defined(*this, xml, VIR_DOMAIN_DEFINE_VALIDATE); }

Domain Connection::define_as_known(const std::string& xml) const { return defined(*this, xml, 0); }

std::string Connection::capabilities_xml() const {
  const OwnedText xml(virConnectGetCapabilities(handle()));
  if (!xml) throw_last("ask " + uri_ + " for its capabilities");
  return xml.get();
}

}  // namespace muster::virt
