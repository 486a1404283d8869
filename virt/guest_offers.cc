#include "virt/guest_offers.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

#include <libvirt/libvirt.h>
#include <pugixml.hpp>

#include "base/error.h"
#include "virt/libvirt_error.h"
#include "virt/owned.h"

namespace muster::virt {
namespace {

// What a new machine is made of, by the name that always means the newest version.
constexpr std::array<std::string_view, 3> kUsualMachines = {"q35", "virt", "s390-ccw-virtio"};

std::string machine_of(const pugi::xml_node& arch) {
  for (const auto usual : kUsualMachines)
    for (const auto& machine : arch.children("machine"))
      if (machine.text().get() == usual) return machine.attribute("canonical").as_string(machine.text().get());
  return "";
}

bool has_domain(const pugi::xml_node& arch, std::string_view type) {
  const auto all = arch.children("domain");
  return std::any_of(all.begin(), all.end(), [&](const auto& d) { return d.attribute("type").value() == type; });
}

GuestOffer offer_of(const pugi::xml_node& guest) {
  const auto arch = guest.child("arch");
  const bool kvm = has_domain(arch, "kvm");
  const std::string first = arch.child("domain").attribute("type").value();
  return {.domain_type = kvm ? "kvm" : first,
          .os_type = guest.child_value("os_type"),
          .arch = arch.attribute("name").value(),
          .machine = machine_of(arch),
          .emulated = first == "qemu" && !kvm};
}

}  // namespace

GuestOffer guest_offer(const Connection& connection) {
  pugi::xml_document tree;
  const std::string text = connection.capabilities_xml();
  if (!tree.load_buffer(text.data(), text.size()))
    throw base::Error(base::Code::io, "the capabilities of " + connection.uri() + " cannot be read");
  const auto root = tree.child("capabilities");
  const std::string host = root.child("host").child("cpu").child_value("arch");
  for (const auto& guest : root.children("guest"))
    if (guest.child("arch").attribute("name").value() == host) return offer_of(guest);
  if (!root.child("guest"))
    throw base::Error(base::Code::unsupported,
                      connection.uri() + " offers no kind of machine: is an emulator installed?");
  return offer_of(root.child("guest"));
}

bool offers_uefi(const Connection& connection, const GuestOffer& offer) {
  const char* machine = offer.machine.empty() ? nullptr : offer.machine.c_str();
  const OwnedText text(virConnectGetDomainCapabilities(connection.handle(), nullptr, offer.arch.c_str(), machine,
                                                       offer.domain_type.c_str(), 0));
  pugi::xml_document tree;
  if (!text || !tree.load_string(text.get())) return false;
  for (const auto& choice : tree.child("domainCapabilities").child("os").children("enum"))
    for (const auto& value : choice.children("value"))
      if (std::string_view(choice.attribute("name").value()) == "firmware" &&
          std::string_view(value.text().get()) == "efi")
        return true;
  return false;
}

std::vector<NetworkFacts> networks(const Connection& connection) {
  virNetworkPtr* list = nullptr;
  const int count = virConnectListAllNetworks(connection.handle(), &list, 0);
  if (count < 0 && last_is_unsupported()) return {};
  if (count < 0) throw_last("list the networks of " + connection.uri());
  std::vector<NetworkFacts> all;
  for (int i = 0; i < count; ++i) {
    all.push_back({.name = virNetworkGetName(list[i]), .active = virNetworkIsActive(list[i]) == 1});
    virNetworkFree(list[i]);
  }
  std::free(list);
  return all;
}

}  // namespace muster::virt
