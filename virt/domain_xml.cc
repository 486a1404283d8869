#include "virt/domain_xml.h"

#include <array>
#include <limits>
#include <sstream>

#include <pugixml.hpp>

#include "base/error.h"

namespace muster::virt {
namespace {

using base::Code;
using base::Error;

constexpr int kMaxDepth = 64;

void check_depth(const pugi::xml_node& node, int depth) {
  if (depth > kMaxDepth) throw Error(Code::usage, "domain XML is nested too deeply");
  for (const auto& child : node.children()) check_depth(child, depth + 1);
}

std::string attribute(const pugi::xml_node& node, const char* child, const char* name) {
  return node.child(child).attribute(name).value();
}

std::string source_of(const pugi::xml_node& disk) {
  const auto source = disk.child("source");
  for (const char* name : {"file", "dev", "dir"})
    if (const auto path = source.attribute(name)) return path.value();
  if (const auto volume = source.attribute("volume"))
    return std::string(source.attribute("pool").value()) + "/" + volume.value();
  if (const auto protocol = source.attribute("protocol"))
    return std::string(protocol.value()) + ":" + source.attribute("name").value();
  return "";
}

DiskElement disk_of(const pugi::xml_node& node) {
  return {.target = attribute(node, "target", "dev"),
          .bus = attribute(node, "target", "bus"),
          .device = node.attribute("device").as_string("disk"),
          .type = node.attribute("type").value(),
          .format = attribute(node, "driver", "type"),
          .source = source_of(node),
          .read_only = static_cast<bool>(node.child("readonly")),
          .shareable = static_cast<bool>(node.child("shareable")),
          .encrypted = static_cast<bool>(node.select_node(".//encryption"))};
}

InterfaceElement interface_of(const pugi::xml_node& node) {
  std::string source;
  for (const char* name : {"network", "bridge", "dev", "path"})
    if (source.empty()) source = attribute(node, "source", name);
  return {.type = node.attribute("type").value(),
          .source = source,
          .mac = attribute(node, "mac", "address"),
          .model = attribute(node, "model", "type"),
          .target = attribute(node, "target", "dev")};
}

}  // namespace

struct DomainXml::Document {
  pugi::xml_document tree;
};

DomainXml::DomainXml(std::string_view text) : document_(std::make_unique<Document>()) {
  if (text.size() > kMaxBytes) throw Error(Code::usage, "domain XML is larger than 8 MiB");
  const auto result = document_->tree.load_buffer(text.data(), text.size(), pugi::parse_default | pugi::parse_comments);
  if (!result)
    throw Error(Code::usage, "domain XML at byte " + std::to_string(result.offset) + ": " + result.description());
  if (!document_->tree.child("domain")) throw Error(Code::usage, "domain XML: the root element is not <domain>");
  check_depth(document_->tree, 0);
}

DomainXml::DomainXml(const DomainXml& other) : document_(std::make_unique<Document>()) {
  document_->tree.reset(other.document_->tree);
}
DomainXml& DomainXml::operator=(const DomainXml& other) {
  if (this != &other) document_->tree.reset(other.document_->tree);
  return *this;
}
DomainXml::DomainXml(DomainXml&&) noexcept = default;
DomainXml& DomainXml::operator=(DomainXml&&) noexcept = default;
DomainXml::~DomainXml() = default;

pugi::xml_node DomainXml::root() const { return document_->tree.child("domain"); }
std::string DomainXml::text() const { return node_text(root()); }
std::string DomainXml::type() const { return root().attribute("type").value(); }
std::string DomainXml::name() const { return root().child_value("name"); }
std::string DomainXml::uuid() const { return root().child_value("uuid"); }

// libvirt has two ways of writing it, and keeps to that which it was given.
std::string DomainXml::nvram() const {
  const auto element = root().child("os").child("nvram");
  const auto source = element.child("source");
  return source ? source.attribute("file").value() : element.child_value();
}

std::string DomainXml::owner() const {
  for (const auto& label : root().children("seclabel"))
    if (std::string_view(label.attribute("model").value()) == "dac") return label.child_value("label");
  return "";
}

std::string DomainXml::machine() const { return attribute(root().child("os"), "type", "machine"); }

std::string DomainXml::firmware() const {
  const auto os = root().child("os");
  if (const auto automatic = os.attribute("firmware")) return automatic.value();
  if (std::string_view(os.child("loader").attribute("type").value()) == "pflash") return "efi";
  return std::string_view(os.child_value("type")) == "hvm" ? "bios" : "";
}

void DomainXml::set_nvram(const std::string& path) {
  auto os = root().child("os");
  if (path.empty()) return void(os.remove_child("nvram"));
  auto element = os.child("nvram");
  if (!element) element = os.append_child("nvram");
  element.remove_child("source");
  element.remove_attribute("type");
  element.text().set(path.c_str());
}

std::uint64_t DomainXml::memory_bytes() const { return size_bytes(root().child("memory")); }

std::uint64_t DomainXml::current_memory_bytes() const {
  const auto current = root().child("currentMemory");
  return current ? size_bytes(current) : memory_bytes();
}

unsigned DomainXml::max_cpus() const { return root().child("vcpu").text().as_uint(1); }
unsigned DomainXml::cpus() const { return root().child("vcpu").attribute("current").as_uint(max_cpus()); }

std::vector<DiskElement> DomainXml::disks() const {
  std::vector<DiskElement> all;
  for (const auto& node : root().child("devices").children("disk")) all.push_back(disk_of(node));
  return all;
}

std::vector<InterfaceElement> DomainXml::interfaces() const {
  std::vector<InterfaceElement> all;
  for (const auto& node : root().child("devices").children("interface")) all.push_back(interface_of(node));
  return all;
}

std::string DomainXml::root_directory() const {
  for (const auto& node : root().child("devices").children("filesystem"))
    if (std::string_view(node.child("target").attribute("dir").value()) == "/")
      return node.child("source").attribute("dir").value();
  return "";
}

bool DomainXml::has_device(const char* tag) const { return static_cast<bool>(root().child("devices").child(tag)); }

std::string DomainXml::tpm_version() const {
  const auto backend = root().child("devices").child("tpm").child("backend");
  if (std::string_view(backend.attribute("type").value()) != "emulator") return "";
  // libvirt writes it down; where it did not, it is that of its time.
  const std::string version = backend.attribute("version").value();
  return version.empty() ? "1.2" : version;
}

std::uint64_t size_bytes(const pugi::xml_node& element) {
  struct Unit {
    const char* name;
    std::uint64_t bytes;
  };
  // https://libvirt.org/formatdomain.html#memory-allocation
  static constexpr std::array<Unit, 14> kUnits{{{"b", 1},
                                                {"bytes", 1},
                                                {"KB", 1000},
                                                {"k", 1ULL << 10},
                                                {"KiB", 1ULL << 10},
                                                {"MB", 1'000'000},
                                                {"M", 1ULL << 20},
                                                {"MiB", 1ULL << 20},
                                                {"GB", 1'000'000'000},
                                                {"G", 1ULL << 30},
                                                {"GiB", 1ULL << 30},
                                                {"TB", 1'000'000'000'000},
                                                {"T", 1ULL << 40},
                                                {"TiB", 1ULL << 40}}};
  const std::string_view wanted = element.attribute("unit").as_string("KiB");
  const std::uint64_t number = element.text().as_ullong();
  for (const auto& unit : kUnits) {
    if (wanted != unit.name) continue;
    if (number > std::numeric_limits<std::uint64_t>::max() / unit.bytes)
      throw Error(Code::usage, std::string("<") + element.name() + "> is too large");
    return number * unit.bytes;
  }
  throw Error(Code::usage, std::string("<") + element.name() + "> has an unknown unit '" + std::string(wanted) + "'");
}

std::string node_text(const pugi::xml_node& node) {
  std::ostringstream out;
  node.print(out, "  ", pugi::format_default, pugi::encoding_utf8);
  return out.str();
}

}  // namespace muster::virt
