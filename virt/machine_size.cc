#include "virt/machine_size.h"

#include <pugixml.hpp>

namespace muster::virt {
namespace {

using pugi::xml_node;

xml_node child_of(xml_node root, const char* name) {
  const auto there = root.child(name);
  return there ? there : root.append_child(name);
}

std::vector<std::string> remove_from(xml_node parent, const char* name, const char* what) {
  if (!parent.remove_child(name)) return {};
  return {what};
}

// With what says where the memory of each comes from: libvirt takes no such thing without them.
std::vector<std::string> remove_cells(xml_node root) {
  auto tuning = root.child("numatune");
  while (tuning.remove_child("memnode")) {
  }
  return remove_from(root.child("cpu"), "numa", "its NUMA cells");
}

void put_bytes(xml_node root, const char* name, std::uint64_t bytes) {
  auto node = child_of(root, name);
  node.remove_attribute("unit");
  node.append_attribute("unit") = "KiB";
  node.text().set(static_cast<unsigned long long>(bytes >> 10));
}

}  // namespace

std::vector<std::string> set_cpus(DomainXml& definition, unsigned cpus) {
  auto root = definition.root();
  auto node = child_of(root, "vcpu");
  node.remove_attribute("current");
  node.text().set(cpus);
  root.remove_child("vcpus");
  auto gone = remove_from(root.child("cpu"), "topology", "the topology of its processors");
  const auto cells = remove_cells(root);
  gone.insert(gone.end(), cells.begin(), cells.end());
  if (root.remove_child("cputune")) gone.emplace_back("the pinning and weights of its processors");
  return gone;
}

std::vector<std::string> set_memory(DomainXml& definition, std::uint64_t bytes) {
  auto root = definition.root();
  put_bytes(root, "memory", bytes);
  put_bytes(root, "currentMemory", bytes);
  auto gone = remove_cells(root);
  if (root.remove_child("maxMemory")) gone.emplace_back("the room for memory plugged in later");
  return gone;
}

void set_interfaces(DomainXml& definition, const std::vector<std::string>& elements) {
  auto devices = child_of(definition.root(), "devices");
  while (devices.remove_child("interface")) {
  }
  for (const auto& element : elements) devices.append_buffer(element.data(), element.size());
}

void ensure_virtio_scsi(DomainXml& definition) {
  auto devices = child_of(definition.root(), "devices");
  for (const auto& controller : devices.children("controller"))
    if (std::string_view(controller.attribute("type").value()) == "scsi") return;
  auto controller = devices.append_child("controller");
  controller.append_attribute("type") = "scsi";
  controller.append_attribute("model") = "virtio-scsi";
}

void remove_disk(DomainXml& definition, const std::string& target) {
  auto devices = definition.root().child("devices");
  for (xml_node disk = devices.child("disk"), next; disk; disk = next) {
    next = disk.next_sibling("disk");
    if (disk.child("target").attribute("dev").value() == target) devices.remove_child(disk);
  }
}

void add_disk(DomainXml& definition, const std::string& element) {
  auto devices = child_of(definition.root(), "devices");
  xml_node last;
  for (const auto& disk : devices.children("disk")) last = disk;
  pugi::xml_document parsed;
  parsed.load_buffer(element.data(), element.size());
  if (last)
    devices.insert_copy_after(parsed.document_element(), last);
  else
    devices.prepend_copy(parsed.document_element());
}

}  // namespace muster::virt
