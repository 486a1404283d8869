#include "virt/capabilities.h"

#include <array>
#include <functional>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pugixml.hpp>

#include "virt/owned.h"

namespace muster::virt {
namespace {

// Whether the call that has just failed with `result` is one the driver has. Any other error means that it got as far
// as looking at its arguments.
Capability judged(const std::string& name, bool worked) {
  if (worked) return {name, Answer::yes, ""};
  const virErrorPtr error = virGetLastError();
  if (error == nullptr) return {name, Answer::unknown, ""};
  const std::string text = error->message == nullptr ? "" : error->message;
  const bool missing = error->code == VIR_ERR_NO_SUPPORT || error->code == VIR_ERR_OPERATION_UNSUPPORTED;
  const bool broken = error->code == VIR_ERR_RPC || error->code == VIR_ERR_INTERNAL_ERROR;
  return {name, missing ? Answer::no : broken ? Answer::unknown : Answer::yes, missing || broken ? text : ""};
}

struct DomainQuestion {
  const char* name;
  // Calls that only read, or that libvirt refuses for their arguments before anything changes.
  std::function<bool(virDomainPtr)> ask;
};

const std::vector<DomainQuestion>& domain_questions() {
  static const std::vector<DomainQuestion> questions{
      {"autostart",
       [](virDomainPtr d) {
         int on = 0;
         return virDomainGetAutostart(d, &on) == 0;
       }},
      {"saved images", [](virDomainPtr d) { return virDomainHasManagedSaveImage(d, 0) >= 0; }},
      {"snapshots", [](virDomainPtr d) { return virDomainSnapshotNum(d, 0) >= 0; }},
      {"checkpoints",
       [](virDomainPtr d) {
         const int count = virDomainListAllCheckpoints(d, nullptr, 0);
         return count >= 0;
       }},
      {"backup",
       [](virDomainPtr d) {
         const OwnedText xml(virDomainBackupGetXMLDesc(d, 0));
         return xml != nullptr;
       }},
      {"metadata",
       [](virDomainPtr d) {
         const OwnedText text(
             virDomainGetMetadata(d, VIR_DOMAIN_METADATA_ELEMENT, kMetadataNamespace, VIR_DOMAIN_AFFECT_CURRENT));
         return text != nullptr;
       }},
      {"disk limits",
       [](virDomainPtr d) {
         int count = 0;
         return virDomainGetBlockIoTune(d, nullptr, nullptr, &count, VIR_DOMAIN_AFFECT_CURRENT) == 0;
       }},
      {"CPU limits",
       [](virDomainPtr d) {
         int count = 0;
         const OwnedText type(virDomainGetSchedulerType(d, &count));
         return type != nullptr;
       }},
      {"memory limits",
       [](virDomainPtr d) {
         int count = 0;
         return virDomainGetMemoryParameters(d, nullptr, &count, VIR_DOMAIN_AFFECT_CURRENT) == 0;
       }},
      {"network limits",
       [](virDomainPtr d) {
         int count = 0;
         return virDomainGetInterfaceParameters(d, "none", nullptr, &count, VIR_DOMAIN_AFFECT_CURRENT) == 0;
       }},
      {"CPU pinning",
       [](virDomainPtr d) {
         std::array<unsigned char, 1> map{};
         return virDomainGetVcpuPinInfo(d, 1, map.data(), static_cast<int>(map.size()), VIR_DOMAIN_AFFECT_CURRENT) >= 0;
       }},
      {"job progress",
       [](virDomainPtr d) {
         virDomainJobInfo info{};
         return virDomainGetJobInfo(d, &info) == 0;
       }},
      {"addresses",
       [](virDomainPtr d) {
         virDomainInterfacePtr* list = nullptr;
         const int count = virDomainInterfaceAddresses(d, &list, VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE, 0);
         for (int i = 0; i < count; ++i) virDomainInterfaceFree(list[i]);
         std::free(list);
         return count >= 0;
       }},
  };
  return questions;
}

// The host's own word on it, in its capabilities.
Capability live_migration(const Connection& connection) {
  pugi::xml_document capabilities;
  const std::string text = connection.capabilities_xml();
  if (!capabilities.load_buffer(text.data(), text.size())) return {"live migration", Answer::unknown, ""};
  const auto features = capabilities.child("capabilities").child("host").child("migration_features");
  return {"live migration", features.child("live") ? Answer::yes : Answer::no, ""};
}

}  // namespace

const char* name_of(Answer answer) {
  switch (answer) {
    case Answer::yes:
      return "yes";
    case Answer::no:
      return "no";
    case Answer::unknown:
      return "unknown";
  }
  return "unknown";
}

std::vector<Capability> capabilities(const Connection& connection, const std::optional<Domain>& probe) {
  std::vector<Capability> all;
  const auto ask = [&](const char* name, bool worked) { all.push_back(judged(name, worked)); };
  virResetLastError();
  ask("domains", virConnectNumOfDomains(connection.handle()) >= 0);
  virResetLastError();
  ask("storage pools", virConnectNumOfStoragePools(connection.handle()) >= 0);
  virResetLastError();
  ask("networks", virConnectNumOfNetworks(connection.handle()) >= 0);
  virResetLastError();
  virDomainStatsRecordPtr* records = nullptr;
  ask("statistics in one call", virConnectGetAllDomainStats(connection.handle(), 0, &records, 0) >= 0);
  if (records != nullptr) virDomainStatsRecordListFree(records);
  virResetLastError();
  const int callback = virConnectDomainEventRegisterAny(
      connection.handle(), nullptr, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
      VIR_DOMAIN_EVENT_CALLBACK(+[](virConnectPtr, virDomainPtr, int, int, void*) { return 0; }), nullptr, nullptr);
  ask("events", callback >= 0);
  if (callback >= 0) virConnectDomainEventDeregisterAny(connection.handle(), callback);
  all.push_back(live_migration(connection));
  for (const auto& question : domain_questions()) {
    virResetLastError();
    if (probe)
      all.push_back(judged(question.name, question.ask(probe->handle())));
    else
      all.push_back({question.name, Answer::unknown, "there is no domain to ask about"});
  }
  return all;
}

}  // namespace muster::virt
