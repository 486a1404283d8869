#include "virt/emulator.h"

#include <charconv>
#include <sstream>
#include <string_view>

#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <pugixml.hpp>

#include "virt/libvirt_error.h"
#include "virt/owned.h"

namespace muster::virt {
namespace {

template <typename Number>
std::optional<Number> number(std::string_view text) {
  Number value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

// `+64055:+107`; names, which a file may have, are none here.
std::optional<EmulatorUser> parse_label(std::string_view label) {
  const auto colon = label.find(':');
  if (colon == std::string_view::npos || !label.starts_with('+') || label.substr(colon, 2) != ":+") return std::nullopt;
  const auto user = number<unsigned>(label.substr(1, colon - 1)), group = number<unsigned>(label.substr(colon + 2));
  return user && group ? std::optional(EmulatorUser{*user, *group}) : std::nullopt;
}

}  // namespace

std::optional<EmulatorUser> emulator_user(const Connection& connection) {
  pugi::xml_document tree;
  if (!tree.load_string(connection.capabilities_xml().c_str())) return std::nullopt;
  for (const auto& model : tree.child("capabilities").child("host").children("secmodel"))
    if (std::string_view(model.child_value("model")) == "dac") return parse_label(model.child_value("baselabel"));
  return std::nullopt;
}

std::vector<std::string> firmware_loaders(const Connection& connection, const GuestOffer& offer) {
  const OwnedText text(virConnectGetDomainCapabilities(connection.handle(), nullptr, offer.arch.c_str(),
                                                       offer.machine.empty() ? nullptr : offer.machine.c_str(),
                                                       offer.domain_type.c_str(), 0));
  std::vector<std::string> paths;
  pugi::xml_document tree;
  if (!text || !tree.load_string(text.get())) return paths;
  for (const auto& value : tree.child("domainCapabilities").child("os").child("loader").children("value"))
    paths.emplace_back(value.text().get());
  return paths;
}

std::optional<std::uint16_t> forwarded_port(const std::string& usernet, std::uint16_t port) {
  std::istringstream lines(usernet);
  for (std::string line; std::getline(lines, line);) {
    // `TCP[HOST_FORWARD]  12  127.0.0.1 40237  10.0.2.15  22  0 0`
    std::istringstream words(line);
    std::string protocol, descriptor, from, from_port, to, to_port;
    words >> protocol >> descriptor >> from >> from_port >> to >> to_port;
    if (protocol == "TCP[HOST_FORWARD]" && to_port == std::to_string(port)) return number<std::uint16_t>(from_port);
  }
  return std::nullopt;
}

std::optional<std::uint16_t> forwarded_port(const Domain& domain, std::uint16_t port) {
  char* answer = nullptr;
  if (virDomainQemuMonitorCommand(domain.handle(), "info usernet", &answer, VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP) != 0)
    throw_last("ask QEMU for the network of '" + domain.name() + "'");
  const OwnedText text(answer);
  return forwarded_port(std::string(text.get()), port);
}

}  // namespace muster::virt
