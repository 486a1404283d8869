#include "virt/identity.h"

#include <array>
#include <functional>
#include <string_view>

#include <pugixml.hpp>

#include "base/digest.h"
#include "virt/metadata.h"

namespace muster::virt {
namespace {

using pugi::xml_node;

bool is(const pugi::xml_attribute& attribute, std::string_view value) { return attribute.value() == value; }

void set(xml_node node, const char* name, const std::string& value) {
  auto attribute = node.attribute(name);
  if (!attribute) attribute = node.append_attribute(name);
  attribute.set_value(value.c_str());
}

void each(xml_node parent, const char* tag, const std::function<void(xml_node)>& change) {
  for (xml_node node = parent.child(tag), next; node; node = next) {
    next = node.next_sibling(tag);  // `change` may remove it
    change(node);
  }
}

// Its own, or an own directory of it: `/var/lib/x/web01.log`, `web01/serial`.
std::string renamed(const std::string& path, const std::string& before, const std::string& after) {
  const std::size_t at = path.rfind(before);
  if (before.empty() || at == std::string::npos) return path + "-" + after;
  return std::string(path).replace(at, before.size(), after);
}

void put_image(xml_node disk, const ImagePlace& place) {
  set(disk, "type", place.block ? "block" : "file");
  set(disk.child("driver") ? disk.child("driver") : disk.prepend_child("driver"), "type", place.format);
  if (!disk.child("driver").attribute("name")) set(disk.child("driver"), "name", "qemu");
  // The chain below it, a copy under way, what an old format's metadata were in, and a key of the old image's.
  for (const char* part : {"source", "backingStore", "mirror", "encryption"}) disk.remove_child(part);
  set(disk.insert_child_after("source", disk.child("driver")), place.block ? "dev" : "file", place.path);
}

void put_images(xml_node devices, const std::map<std::string, ImagePlace>& disks) {
  each(devices, "disk", [&](xml_node disk) {
    const auto place = disks.find(disk.child("target").attribute("dev").value());
    if (place != disks.end()) put_image(disk, place->second);
  });
}

// What the new images do not have.
std::vector<std::string> lost_encryption(const DomainXml& xml, const NewIdentity& identity) {
  std::vector<std::string> lost;
  for (const auto& disk : xml.disks())
    if (disk.encrypted && identity.disks.contains(disk.target)) lost.push_back("the encryption of disk " + disk.target);
  return lost;
}

// Somebody else's to write to.
void let_go_of_other_disks(xml_node devices, const NewIdentity& identity, std::vector<std::string>& left_out) {
  each(devices, "disk", [&](xml_node disk) {
    const std::string target = disk.child("target").attribute("dev").value();
    if (identity.disks.contains(target) || disk.child("readonly") || !disk.child("source")) return;
    if (is(disk.attribute("device"), "cdrom") || is(disk.attribute("device"), "floppy")) return;
    left_out.push_back("disk " + target);
    devices.remove_child(disk);
  });
}

std::string number_of(const std::string& uuid, const std::string& target) {
  const auto digest = base::sha256(uuid + "/" + target);
  return base::hex(base::as_text(digest));
}

void renew_serials(xml_node devices, const std::string& uuid) {
  each(devices, "disk", [&](xml_node disk) {
    const std::string number = number_of(uuid, disk.child("target").attribute("dev").value());
    if (auto serial = disk.child("serial")) serial.text().set(number.substr(0, 20).c_str());
    // NAA 3: locally assigned.
    if (auto wwn = disk.child("wwn")) wwn.text().set(("3" + number.substr(0, 15)).c_str());
  });
}

// Storage that only one machine may write to.
void let_go_of_memory_in_files(xml_node devices, std::vector<std::string>& left_out) {
  each(devices, "memory", [&](xml_node memory) {
    if (!memory.child("source").child("path")) return;
    left_out.push_back(std::string("memory in the file ") + memory.child("source").child_value("path"));
    devices.remove_child(memory);
  });
}

void renew_interfaces(xml_node devices) {
  each(devices, "interface", [](xml_node interface) {
    interface.remove_child("mac");
    interface.child("source").remove_attribute("portid");
    // The hypervisor's own device for it.
    if (!is(interface.attribute("type"), "ethernet")) interface.remove_child("target");
    auto parameters = interface.child("virtualport").child("parameters");
    for (const char* name : {"interfaceid", "instanceid"}) parameters.remove_attribute(name);
  });
}

// The socket of a switch in user space is one machine's.
void rename_sockets(xml_node devices, const std::string& before, const std::string& after) {
  each(devices, "interface", [&](xml_node interface) {
    auto path = interface.child("source").attribute("path");
    if (is(interface.attribute("type"), "vhostuser") && path)
      path.set_value(renamed(path.value(), before, after).c_str());
  });
}

void set_macs(xml_node devices, const std::vector<std::string>& macs) {
  std::size_t next = 0;
  each(devices, "interface", [&](xml_node interface) {
    if (next < macs.size()) set(interface.prepend_child("mac"), "address", macs[next++]);
  });
}

void rename_if_named(pugi::xml_attribute attribute, const std::string& before, const std::string& after) {
  const std::string value = attribute.value();
  if (value.find(before) != std::string::npos) attribute.set_value(renamed(value, before, after).c_str());
}

void rename_groups(xml_node root, const std::string& before, const std::string& after) {
  auto partition = root.child("resource").child("partition");
  const std::string group = partition.child_value();
  if (group.find(before) != std::string::npos) partition.text().set(renamed(group, before, after).c_str());
  each(root.child("devices"), "shmem",
       [&](xml_node memory) { rename_if_named(memory.attribute("name"), before, after); });
}

void renew_graphics(xml_node devices) {
  each(devices, "graphics", [](xml_node graphics) {
    for (const char* name : {"port", "tlsPort", "websocket", "socket"}) graphics.remove_attribute(name);
    if (is(graphics.attribute("type"), "vnc") || is(graphics.attribute("type"), "spice"))
      set(graphics, "autoport", "yes");
    each(graphics, "listen", [](xml_node listen) { listen.remove_attribute("socket"); });
  });
}

// Serial lines, consoles, channels and the like: sockets that libvirt places are placed anew, files get the new name.
void renew_lines(xml_node devices, const std::string& before, const std::string& after) {
  for (const char* tag : {"serial", "console", "parallel", "channel", "redirdev", "rng", "smartcard"})
    each(devices, tag, [&](xml_node line) {
      auto source = line.child("source");
      const bool file = is(line.attribute("type"), "file"), socket = is(line.attribute("type"), "unix");
      if (is(line.attribute("type"), "pty")) {
        source.remove_attribute("path");
        line.remove_attribute("tty");
      } else if (socket && std::string_view(tag) == "channel") {
        line.remove_child("source");
      } else if ((file || socket) && source.attribute("path")) {
        set(source, "path", renamed(source.attribute("path").value(), before, after));
      }
      auto log = line.child("log");
      if (log.attribute("file")) set(log, "file", renamed(log.attribute("file").value(), before, after));
    });
}

void let_go_of_host_devices(xml_node devices, std::vector<std::string>& left_out) {
  each(devices, "hostdev", [&](xml_node device) {
    left_out.push_back(std::string("a device of the host (") + device.attribute("type").value() + ")");
    devices.remove_child(device);
  });
  each(devices, "interface", [&](xml_node interface) {
    if (!is(interface.attribute("type"), "hostdev")) return;
    left_out.emplace_back("an interface that is a device of the host");
    devices.remove_child(interface);
  });
}

// Numbers of the machine in its firmware's tables, of which there may be several beside each other.
void renew_tables(xml_node root) {
  each(root, "sysinfo", [](xml_node tables) {
    for (const char* name : {"system", "baseBoard", "chassis"})
      each(tables, name, [](xml_node numbers) {
        each(numbers, "entry", [&](xml_node entry) {
          for (const char* number : {"uuid", "serial", "asset"})
            if (is(entry.attribute("name"), number)) return static_cast<void>(numbers.remove_child(entry));
        });
      });
  });
}

// Variables beside the old machine's, as libvirt names them; it fills the file from the template where it is not there.
void renew_firmware(DomainXml& xml, const std::string& name) {
  const std::string path = xml.nvram();
  if (!path.empty()) xml.set_nvram(path.substr(0, path.rfind('/') + 1) + name + "_VARS.fd");
  renew_tables(xml.root());
  auto genid = xml.root().child("genid");
  while (genid.first_child()) genid.remove_child(genid.first_child());
}

}  // namespace

Rewritten with_new_identity(const DomainXml& xml, const NewIdentity& identity) {
  DomainXml changed = xml;
  xml_node root = changed.root();
  const std::string before = changed.name();
  Rewritten result{.xml = {}, .left_out = lost_encryption(xml, identity)};
  root.remove_attribute("id");
  root.remove_child("uuid");
  root.remove_child("title");
  root.child("name").text().set(identity.name.c_str());
  set_facts(changed, {});
  if (!identity.keep_metadata_of_others) root.remove_child("metadata");
  if (!identity.uuid.empty()) root.insert_child_after("uuid", root.child("name")).text().set(identity.uuid.c_str());
  renew_firmware(changed, identity.name);
  xml_node devices = root.child("devices");
  put_images(devices, identity.disks);
  let_go_of_other_disks(devices, identity, result.left_out);
  if (!identity.keep_disk_serials) renew_serials(devices, identity.uuid);
  let_go_of_memory_in_files(devices, result.left_out);
  let_go_of_host_devices(devices, result.left_out);
  renew_interfaces(devices);
  set_macs(devices, identity.macs);
  rename_sockets(devices, before, identity.name);
  rename_groups(root, before, identity.name);
  renew_graphics(devices);
  renew_lines(devices, before, identity.name);
  auto vsock = devices.child("vsock").child("cid");
  if (vsock) {
    vsock.remove_attribute("address");
    set(vsock, "auto", "yes");
  }
  // Labels that libvirt made for that run.
  each(root, "seclabel", [&](xml_node label) {
    if (is(label.attribute("type"), "dynamic")) root.remove_child(label);
  });
  result.xml = changed.text();
  return result;
}

Rewritten with_images(const DomainXml& xml, const NewIdentity& identity) {
  DomainXml changed = xml;
  Rewritten result{.xml = {}, .left_out = lost_encryption(xml, identity)};
  changed.root().child("name").text().set(identity.name.c_str());
  put_images(changed.root().child("devices"), identity.disks);
  result.xml = changed.text();
  return result;
}

}  // namespace muster::virt
