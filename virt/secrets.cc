#include "virt/secrets.h"

#include <array>
#include <cstdlib>
#include <memory>
#include <set>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pugixml.hpp>

#include "base/error.h"
#include "virt/libvirt_error.h"
#include "virt/owned.h"

namespace muster::virt {
namespace {

using base::Error;

struct FreeSecret {
  void operator()(virSecretPtr secret) const { virSecretFree(secret); }
};
using OwnedSecret = std::unique_ptr<virSecret, FreeSecret>;

// What a definition's `type` is to libvirt's API (https://libvirt.org/formatsecret.html).
int usage_type(std::string_view type) {
  if (type == "ceph") return VIR_SECRET_USAGE_TYPE_CEPH;
  if (type == "iscsi") return VIR_SECRET_USAGE_TYPE_ISCSI;
  if (type == "tls") return VIR_SECRET_USAGE_TYPE_TLS;
  if (type == "vtpm") return VIR_SECRET_USAGE_TYPE_VTPM;
  return VIR_SECRET_USAGE_TYPE_VOLUME;
}

OwnedSecret find(const Connection& connection, const pugi::xml_node& named) {
  if (const std::string uuid = named.attribute("uuid").value(); !uuid.empty())
    return OwnedSecret(virSecretLookupByUUIDString(connection.handle(), uuid.c_str()));
  const std::string usage = named.attribute("usage").value();
  if (usage.empty()) return nullptr;
  return OwnedSecret(
      virSecretLookupByUsage(connection.handle(), usage_type(named.attribute("type").value()), usage.c_str()));
}

// A TPM names its own as an attribute.
OwnedSecret find_of_tpm(const Connection& connection, const pugi::xml_node& encryption) {
  const std::string uuid = encryption.attribute("secret").value();
  return uuid.empty() ? nullptr : OwnedSecret(virSecretLookupByUUIDString(connection.handle(), uuid.c_str()));
}

Secret copy_of(virSecretPtr secret) {
  const OwnedText xml(virSecretGetXMLDesc(secret, 0));
  if (!xml) throw_last("read a secret");
  std::size_t size = 0;
  unsigned char* value = virSecretGetValue(secret, &size, 0);
  if (value == nullptr) throw_last("read a secret's value");
  Secret copy{.xml = xml.get(), .value = std::string(reinterpret_cast<const char*>(value), size)};
  std::free(value);
  return copy;
}

std::string uuid_of(const std::string& xml) {
  pugi::xml_document document;
  return document.load_string(xml.c_str()) ? document.child("secret").child_value("uuid") : "";
}

bool set_value(virSecretPtr secret, const std::string& value) {
  return virSecretSetValue(secret, reinterpret_cast<const unsigned char*>(value.data()), value.size(), 0) == 0;
}

// One that is there without a value was left by a restore that was killed. Throws where it has another one.
void complete(virSecretPtr secret, const Secret& wanted) {
  std::size_t size = 0;
  unsigned char* value = virSecretGetValue(secret, &size, 0);
  if (value == nullptr) {
    if (virGetLastError() != nullptr && virGetLastError()->code == VIR_ERR_INVALID_SECRET) return;  // private
    if (!set_value(secret, wanted.value)) throw_last("set a secret's value");
    return;
  }
  const bool same = std::string_view(reinterpret_cast<const char*>(value), size) == wanted.value;
  std::free(value);
  if (!same)
    throw Error(base::Code::refused, "it is there with another value, which stays: what it opens may not open");
}

void define(const Connection& connection, const Secret& secret) {
  const std::string uuid = uuid_of(secret.xml);
  if (const OwnedSecret there(uuid.empty() ? nullptr : virSecretLookupByUUIDString(connection.handle(), uuid.c_str()));
      there)
    return complete(there.get(), secret);
  const OwnedSecret made(virSecretDefineXML(connection.handle(), secret.xml.c_str(), 0));
  if (!made) throw_last("define a secret");
  if (set_value(made.get(), secret.value)) return;
  const Error failed(base::Code::io, std::string("set a secret's value: ") + virGetLastErrorMessage());
  virSecretUndefine(made.get());
  throw Error(failed);
}

}  // namespace

std::vector<Secret> secrets_of(const base::Context& ctx, const Connection& connection, const DomainXml& machine) {
  std::vector<Secret> secrets;
  std::set<std::string> seen;
  const auto take = [&](const OwnedSecret& secret) {
    std::array<char, VIR_UUID_STRING_BUFLEN> uuid{};
    if (!secret || virSecretGetUUIDString(secret.get(), uuid.data()) != 0 || !seen.insert(uuid.data()).second) return;
    try {
      secrets.push_back(copy_of(secret.get()));
    } catch (const Error& e) {
      ctx.warn("'" + machine.name() + "': the secret " + uuid.data() + " is not in the restore point: " + e.what());
    }
  };
  for (const auto& found : machine.root().select_nodes("devices//secret")) take(find(connection, found.node()));
  for (const auto& found : machine.root().select_nodes("devices/tpm/backend/encryption"))
    take(find_of_tpm(connection, found.node()));
  return secrets;
}

void define_secrets(const base::Context& ctx, const Connection& connection, const std::vector<Secret>& secrets) {
  for (const auto& secret : secrets) {
    try {
      define(connection, secret);
    } catch (const Error& e) {
      ctx.warn(std::string("a secret of the machine is not there again: ") + e.what());
    }
  }
}

}  // namespace muster::virt
