#include "vm/domain_builder.h"

#include <algorithm>

#include <fmt/format.h>

namespace muster::vm {
namespace {

// For text and attributes in single quotes.
std::string escaped(const std::string& text) {
  std::string all;
  for (const char c : text) {
    if (c == '&')
      all += "&amp;";
    else if (c == '<')
      all += "&lt;";
    else if (c == '>')
      all += "&gt;";
    else if (c == '\'')
      all += "&apos;";
    else
      all += c;
  }
  return all;
}

bool is_qemu(const virt::GuestOffer& offer) { return offer.domain_type == "kvm" || offer.domain_type == "qemu"; }
bool is_pc(const virt::GuestOffer& offer) { return offer.arch == "x86_64" || offer.arch == "i686"; }

// Without secure boot, whose keys let no boot loader start but those that Microsoft signed.
std::string firmware_xml(const DomainParts& parts) {
  if (parts.request.firmware != Firmware::uefi) return "";
  if (!parts.offer.uefi_loader.empty())
    return fmt::format("    <loader readonly='yes' type='pflash'>{}</loader>\n", escaped(parts.offer.uefi_loader));
  return "    <firmware>\n      <feature enabled='no' name='secure-boot'/>\n    </firmware>\n";
}

std::string os_xml(const DomainParts& parts) {
  const auto& offer = parts.offer;
  const std::string machine = offer.machine.empty() ? "" : fmt::format(" machine='{}'", escaped(offer.machine));
  const bool chosen_by_libvirt = parts.request.firmware == Firmware::uefi && offer.uefi_loader.empty();
  // An empty disk does not boot, which is when an installation medium has its turn.
  const char* medium = parts.request.iso.empty() ? "" : "    <boot dev='cdrom'/>\n";
  return fmt::format("  <os{}>\n    <type arch='{}'{}>{}</type>\n{}    <boot dev='hd'/>\n{}  </os>\n",
                     chosen_by_libvirt ? " firmware='efi'" : "", escaped(offer.arch), machine, escaped(offer.os_type),
                     firmware_xml(parts), medium);
}

std::string processor_xml(const DomainParts& parts) {
  if (!is_qemu(parts.offer)) return "";
  const std::string features = is_pc(parts.offer) ? "  <features>\n    <acpi/>\n    <apic/>\n  </features>\n" : "";
  const char* model = parts.offer.emulated ? "maximum" : "host-model";
  const std::string clock = is_pc(parts.offer) ? "  <clock offset='utc'>\n    <timer name='hpet' present='no'/>\n"
                                                 "    <timer name='rtc' tickpolicy='catchup'/>\n"
                                                 "    <timer name='pit' tickpolicy='delay'/>\n  </clock>\n"
                                               : "  <clock offset='utc'/>\n";
  return features + fmt::format("  <cpu mode='{}'/>\n", model) + clock;
}

std::string source_xml(const virt::DiskSource& source) {
  using Kind = virt::DiskSource::Kind;
  if (source.kind == Kind::volume)
    return fmt::format("<source pool='{}' volume='{}'/>", escaped(source.pool), escaped(source.volume));
  return fmt::format("<source {}='{}'/>", source.kind == Kind::file ? "file" : "dev", escaped(source.path));
}

const char* name_of(virt::DiskSource::Kind kind) {
  using Kind = virt::DiskSource::Kind;
  return kind == Kind::file ? "file" : kind == Kind::block ? "block" : "volume";
}

std::string disk_xml(const BuiltDisk& disk, bool qemu) {
  const bool cdrom = disk.device == BuiltDisk::Device::cdrom;
  const char* discard = cdrom ? "" : " discard='unmap'";
  const std::string driver = qemu ? fmt::format("      <driver name='qemu' type='{}'{}/>\n", disk.format, discard) : "";
  return fmt::format("    <disk type='{}' device='{}'>\n{}      {}\n      <target dev='{}' bus='{}'/>\n{}    </disk>\n",
                     name_of(disk.source.kind), cdrom ? "cdrom" : "disk", driver, source_xml(disk.source), disk.target,
                     disk.bus, cdrom ? "      <readonly/>\n" : "");
}

std::string network_xml(const NetworkRequest& network, const virt::GuestOffer& offer) {
  const std::string source =
      network.source.empty() ? ""
                             : fmt::format("      <source {}='{}'/>\n", name_of(network.kind), escaped(network.source));
  const std::string mac = network.mac.empty() ? "" : fmt::format("      <mac address='{}'/>\n", network.mac);
  const std::string model = is_qemu(offer) ? fmt::format("      <model type='{}'/>\n", escaped(network.model)) : "";
  return fmt::format("    <interface type='{}'>\n{}{}{}    </interface>\n", name_of(network.kind), mac, source, model);
}

// Room for hotplugged devices: a PCIe machine takes none without ports that wait for them.
std::string ports_xml(const DomainParts& parts) {
  if (parts.offer.machine.find("q35") == std::string::npos && parts.offer.machine.find("virt") == std::string::npos)
    return "";
  std::string text;
  for (int i = 0; i < 14; ++i) text += "    <controller type='pci' model='pcie-root-port'/>\n";
  return "    <controller type='pci' model='pcie-root'/>\n" + text;
}

std::string qemu_devices_xml(const DomainParts& parts) {
  return ports_xml(parts) +
         "    <controller type='scsi' model='virtio-scsi'/>\n"
         "    <controller type='usb' model='none'/>\n"
         "    <serial type='pty'/>\n"
         "    <console type='pty'/>\n"
         "    <channel type='unix'>\n      <target type='virtio' name='org.qemu.guest_agent.0'/>\n    </channel>\n"
         "    <memballoon model='virtio'/>\n"
         "    <rng model='virtio'>\n      <backend model='random'>/dev/urandom</backend>\n    </rng>\n";
}

std::string devices_xml(const DomainParts& parts) {
  std::string text = "  <devices>\n";
  for (const auto& disk : parts.disks) text += disk_xml(disk, is_qemu(parts.offer));
  for (const auto& network : parts.networks) text += network_xml(network, parts.offer);
  if (is_qemu(parts.offer)) text += qemu_devices_xml(parts);
  return text + "  </devices>\n";
}

}  // namespace

std::string disk_element(const BuiltDisk& disk) { return disk_xml(disk, true); }

std::string DiskNames::next(const std::string& bus) {
  const bool virtio = bus == "virtio";
  unsigned& number = virtio ? virtio_ : other_;
  return fmt::format("{}d{}", virtio ? 'v' : 's', static_cast<char>('a' + number++));
}

std::string domain_xml(const DomainParts& parts) {
  const auto& request = parts.request;
  const std::string metadata = parts.metadata.empty() ? "" : fmt::format("  <metadata>{}</metadata>\n", parts.metadata);
  return fmt::format(
      "<domain type='{}'>\n  <name>{}</name>\n  <uuid>{}</uuid>\n{}  <memory unit='bytes'>{}</memory>\n"
      "  <vcpu>{}</vcpu>\n{}{}  <on_poweroff>destroy</on_poweroff>\n  <on_reboot>restart</on_reboot>\n"
      "  <on_crash>destroy</on_crash>\n{}</domain>\n",
      escaped(parts.offer.domain_type), escaped(request.name), parts.uuid, metadata, request.memory_bytes, request.cpus,
      os_xml(parts), processor_xml(parts), devices_xml(parts));
}

}  // namespace muster::vm
