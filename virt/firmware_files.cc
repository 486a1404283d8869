#include "virt/firmware_files.h"

#include <libvirt/libvirt.h>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>

#include "virt/migration.h"
#include "virt/owned.h"

namespace muster::virt {
namespace {

constexpr unsigned long kPinningVersion = 9'002'000;

// The same machine without anything that may be missing on the host, as images and networks.
std::string bare(const DomainXml& machine) {
  pugi::xml_document document;
  auto domain = document.append_child("domain");
  domain.append_attribute("type") = machine.type().c_str();
  for (const char* name : {"name", "uuid", "memory", "os", "features"})
    if (const auto part = machine.root().child(name)) domain.append_copy(part);
  for (const char* name : {"kernel", "initrd", "cmdline", "dtb"}) domain.child("os").remove_child(name);
  auto devices = domain.append_child("devices");
  if (const auto emulator = machine.root().child("devices").child("emulator")) devices.append_copy(emulator);
  return node_text(domain);
}

// Of `-blockdev '{"driver":"file","filename":"/x","node-name":"NODE",...}'`.
std::string file_of(const std::string& command, const std::string& node) {
  const auto at = command.find("\"node-name\":\"" + node + '"');
  const auto begin = command.rfind("'{", at), end = command.find("}'", at);
  if (at == std::string::npos || begin == std::string::npos || end == std::string::npos) return "";
  const auto block = nlohmann::json::parse(command.substr(begin + 1, end - begin), nullptr, false);
  return block.is_object() ? block.value("filename", "") : "";
}

}  // namespace

std::optional<FirmwareFiles> chosen_firmware(const Connection& connection, const DomainXml& machine) {
  if (!machine.root().child("os").attribute("firmware")) return std::nullopt;
  const OwnedText command(virConnectDomainXMLToNative(connection.handle(), "qemu-argv", bare(machine).c_str(), 0));
  if (!command) return std::nullopt;
  FirmwareFiles files{.loader = file_of(command.get(), "libvirt-pflash0-storage"),
                      .variables = file_of(command.get(), "libvirt-pflash1-storage")};
  if (files.loader.empty()) return std::nullopt;
  return files;
}

std::string variables_file(const Connection& connection, const DomainXml& machine) {
  if (std::string said = machine.nvram(); !said.empty()) return said;
  const auto chosen = chosen_firmware(connection, machine);
  return chosen ? chosen->variables : "";
}

std::string loader_file(const Connection& connection, const DomainXml& machine) {
  if (const std::string said = machine.root().child("os").child_value("loader"); !said.empty()) return said;
  const auto chosen = chosen_firmware(connection, machine);
  return chosen ? chosen->loader : "";
}

bool firmware_is_pinned(const Connection& connection) { return versions(connection).libvirt >= kPinningVersion; }

}  // namespace muster::virt
