#include "virt/check_definition.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string_view>

#include <nlohmann/json.hpp>
#include <pugixml.hpp>

#include "base/error.h"

namespace muster::virt {
namespace {

using base::Code;
using base::Error;
using pugi::xml_node;
using Words = std::initializer_list<std::string_view>;

constexpr const char* kQemuNamespace = "http://libvirt.org/schemas/domain/qemu/1.0";
constexpr std::string_view kNetwork = "muster-check";

bool is_one_of(std::string_view word, Words words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string_view value(const xml_node& node, const char* attribute) { return node.attribute(attribute).value(); }

void set(xml_node node, const char* attribute, std::string_view text) {
  node.append_attribute(attribute).set_value(std::string(text).c_str());
}

xml_node add(xml_node parent, const char* tag, const std::string& text = "") {
  xml_node node = parent.append_child(tag);
  if (!text.empty()) node.text().set(text.c_str());
  return node;
}

// Attributes of one element, by name; what else it has does not come along.
void copy_attributes(const xml_node& from, xml_node to, Words names) {
  for (const auto name : names)
    if (const auto attribute = from.attribute(std::string(name).c_str()))
      set(to, std::string(name).c_str(), attribute.value());
}

void copy_element(const xml_node& from, xml_node to, const char* tag, Words attributes) {
  if (const auto node = from.child(tag)) copy_attributes(node, to.append_child(tag), attributes);
}

// Where a device is plugged in: a guest knows its disks and interfaces by that.
void copy_place(const xml_node& from, xml_node to) {
  copy_element(from, to, "address",
               {"type", "domain", "bus", "slot", "function", "target", "unit", "controller", "port", "multifunction"});
}

// --- the machine

void add_size(xml_node root, const DomainXml& original, const CheckMachine& machine) {
  const std::uint64_t memory = std::min(original.memory_bytes(), machine.most_memory_bytes);
  set(add(root, "memory", std::to_string(memory)), "unit", "bytes");
  add(root, "vcpu", std::to_string(std::clamp(original.cpus(), 1U, machine.most_cpus)));
}

void add_firmware_features(const xml_node& from, xml_node os) {
  if (!from.child("firmware")) return;
  auto firmware = os.append_child("firmware");
  for (const auto& feature : from.child("firmware").children("feature"))
    copy_attributes(feature, firmware.append_child("feature"), {"enabled", "name"});
}

void add_loader(const xml_node& from, xml_node os, const CheckMachine& machine) {
  const auto loader = from.child("loader");
  const std::string path = loader.child_value();
  if (path.empty()) return;
  if (std::find(machine.loaders.begin(), machine.loaders.end(), path) == machine.loaders.end())
    throw Error(Code::unsupported, "the firmware " + path + " is none that this hypervisor offers");
  copy_attributes(loader, os.append_child("loader"), {"readonly", "secure", "type"});
  os.child("loader").text().set(path.c_str());
}

void add_os(xml_node root, const xml_node& original, const CheckMachine& machine) {
  const auto from = original.child("os");
  if (std::string_view(from.child_value("type")) != "hvm")
    throw Error(Code::unsupported, "it is no machine that boots from a disk, as QEMU's are");
  auto os = root.append_child("os");
  copy_attributes(from, os, {"firmware"});
  copy_attributes(from.child("type"), add(os, "type", "hvm"), {"arch", "machine"});
  add_firmware_features(from, os);
  add_loader(from, os, machine);
  if (!machine.variables.empty()) add(os, "nvram", machine.variables);
}

void add_features(xml_node root, const xml_node& original) {
  const auto from = original.child("features");
  auto features = root.append_child("features");
  for (const char* name : {"acpi", "apic", "pae"})
    if (from.child(name)) features.append_child(name);
  copy_element(from, features, "smm", {"state"});
  copy_element(from, features, "gic", {"version"});
}

void add_clock(xml_node root, const xml_node& original) {
  const auto offset = value(original.child("clock"), "offset");
  set(root.append_child("clock"), "offset", offset == "localtime" ? "localtime" : "utc");
}

// The first that may boot; those of interfaces and of drives that do not come along have none.
void add_boot_order(xml_node root) {
  const auto disks = root.child("devices").children("disk");
  if (std::any_of(disks.begin(), disks.end(), [](const xml_node& disk) { return disk.child("boot"); })) return;
  set(root.child("os").append_child("boot"), "dev", "hd");
}

// --- its devices

void add_disk(xml_node devices, const xml_node& original, const CheckDisk& disk) {
  auto node = devices.append_child("disk");
  set(node, "type", "network");
  set(node, "device", "disk");
  auto driver = node.append_child("driver");
  set(driver, "name", "qemu");
  set(driver, "type", "raw");
  auto source = node.append_child("source");
  set(source, "protocol", "nbd");
  auto host = source.append_child("host");
  set(host, "transport", "unix");
  set(host, "socket", disk.socket);
  copy_element(original, node, "target", {"dev", "bus"});
  copy_element(original, node, "blockio", {"logical_block_size", "physical_block_size"});
  copy_element(original, node, "boot", {"order"});
  for (const char* tag : {"serial", "wwn"})
    if (const auto text = original.child(tag)) add(node, tag, text.child_value());
  copy_place(original, node);
}

void add_disks(xml_node devices, const xml_node& original, const CheckMachine& machine) {
  for (const auto& disk : machine.disks) {
    const auto all = original.children("disk");
    const auto found = std::find_if(all.begin(), all.end(), [&](const xml_node& node) {
      return value(node.child("target"), "dev") == disk.target;
    });
    if (found == all.end())
      throw Error(Code::corrupt, "the definition of the restore point has no disk " + disk.target);
    add_disk(devices, *found, disk);
  }
}

void add_controllers(xml_node devices, const xml_node& original) {
  for (const auto& from : original.children("controller")) {
    if (!is_one_of(value(from, "type"), {"fdc", "ide", "pci", "sata", "scsi", "usb", "virtio-serial"})) continue;
    auto controller = devices.append_child("controller");
    copy_attributes(from, controller, {"type", "index", "model", "ports"});
    copy_element(from, controller, "model", {"name"});
    copy_element(from, controller, "target", {"chassis", "port", "chassisNr", "busNr"});
    copy_place(from, controller);
  }
}

// The guest's: what libvirt would put there by itself is not wanted.
void add_lines(xml_node devices) {
  set(devices.append_child("serial"), "type", "pty");
  set(devices.append_child("console"), "type", "pty");
  auto channel = devices.append_child("channel");
  set(channel, "type", "unix");
  auto target = channel.append_child("target");
  set(target, "type", "virtio");
  set(target, "name", "org.qemu.guest_agent.0");
  set(devices.append_child("memballoon"), "model", "none");
}

void add_display(xml_node devices, const xml_node& original) {
  const auto from = original.child("video");
  const auto kind = value(from.child("model"), "type");
  auto video = devices.append_child("video");
  auto model = video.append_child("model");
  if (!from) return set(model, "type", "none");
  set(model, "type", is_one_of(kind, {"bochs", "cirrus", "vga", "virtio"}) ? kind : "vga");
  copy_place(from, video);
}

// --- the network

std::string_view interface_driver(std::string_view model) {
  if (is_one_of(model, {"e1000", "e1000e", "rtl8139", "vmxnet3"})) return model;
  return "virtio-net-pci";
}

// Where the first interface was: the guest's settings are by its name, and that is by its place. Only where nothing
// else was given a place by libvirt, which does not know of this interface.
void keep_place(nlohmann::json& device, const xml_node& devices, const xml_node& interface) {
  const auto controllers = devices.children("controller");
  const bool complete = std::any_of(controllers.begin(), controllers.end(), [](const xml_node& controller) {
    return value(controller, "type") == "virtio-serial";
  });
  const auto address = interface.child("address");
  if (!complete || value(address, "type") != "pci") return;
  const unsigned bus = address.attribute("bus").as_uint(), slot = address.attribute("slot").as_uint();
  const bool express = std::any_of(controllers.begin(), controllers.end(), [](const xml_node& controller) {
    return value(controller, "model") == "pcie-root";
  });
  device["bus"] = (bus == 0 && express ? "pcie." : "pci.") + std::to_string(bus);
  device["addr"] = std::to_string(slot);
}

// libvirt's own interfaces of type `user` cannot be shut off from the host's network: its command line can. Devices in
// JSON are made in their order, when all others are there.
void add_network(xml_node root, const xml_node& original, const CheckMachine& machine) {
  const auto interface = original.child("interface");
  nlohmann::json device{
      {"driver", interface_driver(value(interface.child("model"), "type"))}, {"netdev", kNetwork}, {"romfile", ""}};
  keep_place(device, original, interface);
  const std::string forward = machine.ssh == CheckMachine::Ssh::forwarded ? ",hostfwd=tcp:127.0.0.1:0-:22" : "";
  auto line = root.append_child("qemu:commandline");
  const std::array words{std::string("-netdev"), "user,id=" + std::string(kNetwork) + ",restrict=on" + forward,
                         std::string("-device"), device.dump()};
  for (const auto& word : words) set(line.append_child("qemu:arg"), "value", word);
}

void add_metadata(xml_node root, const MetadataElement& mark) {
  pugi::xml_document facts;
  const std::string text = new_metadata({mark});
  facts.load_string(text.c_str());
  root.append_child("metadata").append_copy(facts.first_child());
}

}  // namespace

std::string check_definition(const DomainXml& original, const CheckMachine& machine) {
  const xml_node from = original.root();
  pugi::xml_document document;
  auto root = document.append_child("domain");
  set(root, "type", machine.offer.domain_type);
  set(root, "xmlns:qemu", kQemuNamespace);
  add(root, "name", machine.name);
  add_metadata(root, machine.mark);
  add_size(root, original, machine);
  add_os(root, from, machine);
  add_features(root, from);
  set(root.append_child("cpu"), "mode", machine.offer.emulated ? "maximum" : "host-model");
  add_clock(root, from);
  for (const char* event : {"on_poweroff", "on_crash"}) add(root, event, "destroy");
  auto devices = root.append_child("devices");
  add_disks(devices, from.child("devices"), machine);
  add_controllers(devices, from.child("devices"));
  add_lines(devices);
  add_display(devices, from.child("devices"));
  add_boot_order(root);
  add_network(root, from.child("devices"), machine);
  return node_text(root);
}

}  // namespace muster::virt
