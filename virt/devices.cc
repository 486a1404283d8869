#include "virt/devices.h"

#include <algorithm>
#include <cctype>
#include <memory>

#include <libvirt/libvirt.h>
#include <pugixml.hpp>

#include "base/error.h"
#include "virt/libvirt_error.h"
#include "virt/owned.h"

namespace muster::virt {
namespace {

using base::Code;
using base::Error;

unsigned flags_of(Reach reach) {
  unsigned flags = 0;
  if (reach != Reach::next_start) flags |= VIR_DOMAIN_AFFECT_LIVE;
  if (reach != Reach::now) flags |= VIR_DOMAIN_AFFECT_CONFIG;
  return flags;
}

ImageSource source_of(const OwnedVolume& volume) {
  const OwnedText path(virStorageVolGetPath(volume.get()));
  if (!path) throw_last(std::string("ask for the path of volume '") + virStorageVolGetName(volume.get()) + "'");
  virStorageVolInfo info{};
  if (virStorageVolGetInfo(volume.get(), &info) != 0) throw_last(std::string("look at volume '") + path.get() + "'");
  if (info.type != VIR_STORAGE_VOL_FILE && info.type != VIR_STORAGE_VOL_BLOCK)
    throw Error(Code::unsupported, std::string("volume '") + path.get() + "' is neither a file nor a block device");
  ImageSource source{.path = path.get(), .block = info.type == VIR_STORAGE_VOL_BLOCK, .format = {}};
  const OwnedText text(virStorageVolGetXMLDesc(volume.get(), 0));
  pugi::xml_document xml;
  if (text && xml.load_string(text.get()))
    source.format = xml.child("volume").child("target").child("format").attribute("type").value();
  if (source.block || source.format == "iso") source.format = "raw";
  if (source.format == "unknown") source.format.clear();
  return source;
}

void put_source(pugi::xml_node disk, const ImageSource& source) {
  disk.attribute("type").set_value(source.block ? "block" : "file");
  auto element = disk.child("source");
  if (!element) element = disk.prepend_child("source");
  element.append_attribute(source.block ? "dev" : "file").set_value(source.path.c_str());
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

void append(pugi::xml_node parent, const char* name,
            std::initializer_list<std::pair<const char*, std::string>> values) {
  auto node = parent.append_child(name);
  for (const auto& [key, value] : values) node.append_attribute(key).set_value(value.c_str());
}

}  // namespace

ImageSource volume_source(const Connection& connection, const std::string& pool, const std::string& volume) {
  const OwnedPool found(virStoragePoolLookupByName(connection.handle(), pool.c_str()));
  if (!found) throw_last("look up storage pool '" + pool + "'");
  const OwnedVolume in_pool(virStorageVolLookupByName(found.get(), volume.c_str()));
  if (!in_pool) throw_last("look up volume '" + pool + "/" + volume + "'");
  return source_of(in_pool);
}

std::optional<ImageSource> volume_at(const Connection& connection, const std::string& path) {
  // Without pools, or without storage altogether, there is nothing to find.
  const OwnedVolume volume(virStorageVolLookupByPath(connection.handle(), path.c_str()));
  return volume ? std::optional(source_of(volume)) : std::nullopt;
}

std::string device_xml(const NewDisk& disk) {
  pugi::xml_document document;
  auto node = document.append_child("disk");
  node.append_attribute("type");
  node.append_attribute("device").set_value("disk");
  append(node, "driver", {{"name", "qemu"}, {"type", disk.source.format}});
  put_source(node, disk.source);
  append(node, "target", {{"dev", disk.target}, {"bus", disk.bus}});
  if (disk.read_only) node.append_child("readonly");
  return node_text(node);
}

std::string device_xml(const NewInterface& interface) {
  pugi::xml_document document;
  auto node = document.append_child("interface");
  node.append_attribute("type").set_value(interface.kind.c_str());
  append(node, "mac", {{"address", interface.mac}});
  if (!interface.source.empty()) append(node, "source", {{interface.kind.c_str(), interface.source}});
  append(node, "model", {{"type", interface.model}});
  return node_text(node);
}

std::optional<std::string> find_device(const DomainXml& xml, const std::string& target_or_mac) {
  const auto devices = xml.root().child("devices");
  for (const auto& disk : devices.children("disk"))
    if (disk.child("target").attribute("dev").value() == target_or_mac) return node_text(disk);
  for (const auto& interface : devices.children("interface"))
    if (lower(interface.child("mac").attribute("address").value()) == lower(target_or_mac)) return node_text(interface);
  return std::nullopt;
}

std::string with_source(const std::string& disk_element, const std::optional<ImageSource>& source) {
  pugi::xml_document document;
  if (!document.load_string(disk_element.c_str())) throw Error(Code::usage, "a disk's XML cannot be read");
  auto disk = document.child("disk");
  disk.remove_child("source");
  disk.remove_child("backingStore");
  if (source) {
    put_source(disk, *source);
    if (auto driver = disk.child("driver"); driver && !source->format.empty()) {
      if (!driver.attribute("type")) driver.append_attribute("type");
      driver.attribute("type").set_value(source->format.c_str());
    }
  }
  return node_text(disk);
}

void attach_device(const Domain& domain, const std::string& element, Reach reach) {
  if (virDomainAttachDeviceFlags(domain.handle(), element.c_str(), flags_of(reach)) != 0)
    throw_last("attach to '" + domain.name() + "'");
}

void detach_device(const Domain& domain, const std::string& element, Reach reach) {
  if (virDomainDetachDeviceFlags(domain.handle(), element.c_str(), flags_of(reach)) != 0)
    throw_last("detach from '" + domain.name() + "'");
}

void update_device(const Domain& domain, const std::string& element, Reach reach) {
  if (virDomainUpdateDeviceFlags(domain.handle(), element.c_str(), flags_of(reach)) != 0)
    throw_last("change a device of '" + domain.name() + "'");
}

}  // namespace muster::virt
