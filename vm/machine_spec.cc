#include "vm/machine_spec.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/error.h"
#include "base/quantity.h"
#include "inventory/close_names.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;
using virt::Preallocation;
using virt::VolumeFormat;

constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxDisks = 20;
constexpr std::size_t kMaxNetworks = 8;

[[noreturn]] void reject(const std::string& text) { throw Error(Code::usage, text); }

VolumeFormat parse_format(const std::string& text) {
  if (text == "qcow2") return VolumeFormat::qcow2;
  if (text == "raw") return VolumeFormat::raw;
  reject("format '" + text + "': write qcow2 or raw");
}

Preallocation parse_preallocation(const std::string& text) {
  if (text == "none") return Preallocation::none;
  if (text == "metadata") return Preallocation::metadata;
  if (text == "falloc") return Preallocation::falloc;
  if (text == "full") return Preallocation::full;
  reject("preallocate '" + text + "': write none, metadata, falloc or full");
}

DiskBus parse_bus(const std::string& text) {
  if (text == "virtio") return DiskBus::virtio;
  if (text == "scsi") return DiskBus::scsi;
  reject("bus '" + text + "': write virtio or scsi");
}

bool is_mac(const std::string& text) {
  if (text.size() != 17) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool fits = i % 3 == 2 ? text[i] == ':' : std::isxdigit(static_cast<unsigned char>(text[i])) != 0;
    if (!fits) return false;
  }
  // The lowest bit of the first byte: an address of many.
  return std::string_view("13579bBdDfF").find(text[1]) == std::string_view::npos;
}

bool is_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
}

// The parts between commas, each `key=value` or, if it comes first, a word.
struct Part {
  std::string key, value;
  bool has_value = false;
};

std::vector<Part> parts_of(const std::string& text) {
  std::vector<Part> parts;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t end = std::min(text.find(',', from), text.size());
    const std::string part = text.substr(from, end - from);
    const std::size_t equals = part.find('=');
    if (part.empty() || equals == 0) reject("'" + text + "': nothing stands between two commas");
    if (equals == std::string::npos)
      parts.push_back({.key = part, .value = "", .has_value = false});
    else
      parts.push_back({.key = part.substr(0, equals), .value = part.substr(equals + 1), .has_value = true});
    from = end + 1;
  }
  return parts;
}

void check_disk(const DiskRequest& disk, const std::string& which) {
  if (!disk.from.empty() && !disk.backing.empty())
    reject(which + ": write from=IMAGE for a copy or backing=IMAGE to read through it, not both");
  const bool has_image = !disk.from.empty() || !disk.backing.empty();
  if (!has_image && disk.size_bytes == 0) reject(which + " has neither size nor image: write a size, as in 20G");
  if (has_image && disk.preallocation != Preallocation::none)
    reject(which + ": what comes of an image cannot be preallocated");
  if (!disk.backing.empty() && disk.format == VolumeFormat::raw)
    reject(which + ": a raw image cannot have a backing image: write format=qcow2");
  if (disk.format == VolumeFormat::raw && disk.preallocation == Preallocation::metadata)
    throw Error(Code::unsupported, which + ": a raw image has no metadata to preallocate: write falloc or full");
}

void check_network(const NetworkRequest& network, const std::string& which) {
  using Kind = NetworkRequest::Kind;
  const bool wants_source = network.kind == Kind::network || network.kind == Kind::bridge;
  if (wants_source && network.source.empty())
    reject(which + " names none: write network=NAME, bridge=NAME, user or none");
}

}  // namespace

const char* name_of(DiskBus bus) { return bus == DiskBus::virtio ? "virtio" : "scsi"; }
const char* name_of(Firmware firmware) { return firmware == Firmware::bios ? "bios" : "uefi"; }

const char* name_of(NetworkRequest::Kind kind) {
  switch (kind) {
    case NetworkRequest::Kind::network:
      return "network";
    case NetworkRequest::Kind::bridge:
      return "bridge";
    case NetworkRequest::Kind::user:
      return "user";
    case NetworkRequest::Kind::none:
      return "none";
  }
  return "none";
}

void set_disk_key(DiskRequest& disk, const std::string& key, const std::string& value) {
  if (value.empty()) reject(key + " of a disk has no value");
  if (key == "size") {
    disk.size_bytes = base::parse_size(value);
    if (disk.size_bytes == 0) reject("size '" + value + "': a disk has more than nothing");
  } else if (key == "format") {
    disk.format = parse_format(value);
  } else if (key == "preallocate") {
    disk.preallocation = parse_preallocation(value);
  } else if (key == "from") {
    disk.from = value;
  } else if (key == "backing") {
    disk.backing = value;
  } else if (key == "pool") {
    disk.pool = value;
  } else if (key == "bus") {
    disk.bus = parse_bus(value);
  } else {
    reject("unknown key '" + key + "' of a disk" +
           inventory::known_words(key, {"size", "format", "preallocate", "from", "backing", "pool", "bus"}));
  }
}

void set_network_key(NetworkRequest& network, const std::string& key, const std::string& value) {
  using Kind = NetworkRequest::Kind;
  if (key == "network" || key == "bridge") {
    if (value.empty()) reject(key + "= has no value: write its name");
    network.kind = key == "network" ? Kind::network : Kind::bridge;
    network.source = value;
  } else if (key == "mac") {
    if (!is_mac(value)) reject("mac '" + value + "': write six bytes as 52:54:00:12:34:56, the first being even");
    network.mac = value;
  } else if (key == "model") {
    if (!is_word(value)) reject("model '" + value + "': write virtio, e1000e or another of the hypervisor's");
    network.model = value;
  } else {
    reject("unknown key '" + key + "' of a network" +
           inventory::known_words(key, {"network", "bridge", "mac", "model"}));
  }
}

Firmware parse_firmware(std::string_view text) {
  if (text == "bios") return Firmware::bios;
  if (text == "uefi") return Firmware::uefi;
  reject("firmware '" + std::string(text) + "': write bios or uefi");
}

DiskRequest parse_disk(const std::string& text) {
  DiskRequest disk;
  bool first = true;
  for (const auto& part : parts_of(text)) {
    if (!part.has_value && !first)
      reject("'" + part.key + "' in '" + text + "': write key=value; the size comes first");
    set_disk_key(disk, part.has_value ? part.key : "size", part.has_value ? part.value : part.key);
    first = false;
  }
  check_disk(disk, "disk '" + text + "'");
  return disk;
}

NetworkRequest parse_network(const std::string& text) {
  using Kind = NetworkRequest::Kind;
  NetworkRequest network;
  for (const auto& part : parts_of(text)) {
    if (part.has_value)
      set_network_key(network, part.key, part.value);
    else if (part.key == "user" || part.key == "none")
      network.kind = part.key == "user" ? Kind::user : Kind::none;
    else
      reject("'" + part.key + "' in '" + text + "': write network=NAME, bridge=NAME, user or none");
  }
  check_network(network, "network '" + text + "'");
  return network;
}

void check(const MachineRequest& request) {
  if (!is_word(request.name) || request.name.size() > kMaxName || request.name.front() == '-' ||
      request.name.front() == '.')
    reject("machine name '" + request.name + "': write letters, digits, '-', '_' and '.', at most 64");
  if (request.cpus < 1 || request.cpus > MachineRequest::kMaxCpus) reject("cpus: write a number from 1 to 4096");
  if (request.memory_bytes < MachineRequest::kMinMemory || request.memory_bytes > MachineRequest::kMaxMemory)
    reject("memory of '" + request.name + "': write a size from 16M to 64T");
  if (request.disks.size() > kMaxDisks) reject("'" + request.name + "' has more than 20 disks");
  if (request.networks.size() > kMaxNetworks) reject("'" + request.name + "' has more than 8 networks");
  for (const auto& disk : request.disks) check_disk(disk, "a disk of '" + request.name + "'");
  for (const auto& network : request.networks) check_network(network, "a network of '" + request.name + "'");
  if (!request.seed) return;
  if (!request.seed->host_name.empty() && !is_word(request.seed->host_name))
    reject("host name '" + request.seed->host_name + "': write letters, digits, '-' and '.'");
}

}  // namespace muster::vm
