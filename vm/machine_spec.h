// What a machine that is to be made shall be, as its user wrote it: a value, before any hypervisor was asked. Parsing
// is pure; nothing here knows libvirt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "virt/storage.h"

namespace muster::vm {

enum class DiskBus { virtio, scsi };
const char* name_of(DiskBus bus);

struct DiskRequest {
  std::uint64_t size_bytes = 0;  // 0: that of its image
  virt::VolumeFormat format = virt::VolumeFormat::qcow2;
  virt::Preallocation preallocation = virt::Preallocation::none;
  // An image on the hypervisor: VOLUME of the disk's pool, POOL/VOLUME, or an absolute path. At most one of the two.
  std::string from;     // is copied
  std::string backing;  // is read through; the disk holds what differs
  std::string pool;     // empty: `default`, or the only one there is
  DiskBus bus = DiskBus::virtio;
};

struct NetworkRequest {
  enum class Kind {
    network,  // a virtual network of libvirt's
    bridge,   // a bridge of the host's
    user,     // of the emulator's own, to the outside only
    none,     // no interface at all
  };
  Kind kind = Kind::network;
  std::string source;  // network or bridge
  std::string mac;     // empty: libvirt makes one
  std::string model = "virtio";
};
const char* name_of(NetworkRequest::Kind kind);

// What the guest's cloud-init, or what stands in for it, reads at the first boot.
struct SeedRequest {
  std::string host_name;              // empty: the machine's name
  std::vector<std::string> ssh_keys;  // lines as in authorized_keys(5)
  std::string user_data;              // whole; empty: made of the above
  std::string network_config;         // whole; empty: none
};

enum class Firmware { bios, uefi };
const char* name_of(Firmware firmware);

struct MachineRequest {
  static constexpr unsigned kMaxCpus = 4096;
  static constexpr std::uint64_t kMinMemory = 16ULL << 20, kMaxMemory = 1ULL << 46;

  std::string name;
  unsigned cpus = 1;
  std::uint64_t memory_bytes = 1ULL << 30;
  Firmware firmware = Firmware::bios;
  std::vector<DiskRequest> disks;
  std::string iso;                       // an installation medium, as DiskRequest::from
  std::vector<NetworkRequest> networks;  // empty: network `default` where there is one, else user
  std::optional<SeedRequest> seed;
  bool autostart = false;
};

// One word of an option or value of a file, put where it belongs. Throws base::Error{usage} saying what to write; for
// an unknown key, the known ones that are near.
void set_disk_key(DiskRequest& disk, const std::string& key, const std::string& value);
void set_network_key(NetworkRequest& network, const std::string& key, const std::string& value);
Firmware parse_firmware(std::string_view text);

// `20G,preallocate=full,format=raw`; the size may be left out where there is an image. Throws base::Error{usage}.
DiskRequest parse_disk(const std::string& text);
// `network=default`, `bridge=br0,mac=...,model=e1000e`, `user`, `none`. Throws base::Error{usage}.
NetworkRequest parse_network(const std::string& text);

// What cannot be whatever the hypervisor: a bad name, two kinds of image for a disk, none of them and no size.
// Throws base::Error{usage}, {unsupported}.
void check(const MachineRequest& request);

nlohmann::json to_json(const NetworkRequest& network);
NetworkRequest network_from_json(const nlohmann::json& json);
nlohmann::json to_json(const SeedRequest& seed);
SeedRequest seed_from_json(const nlohmann::json& json);
nlohmann::json to_json(const MachineRequest& request);
// Of what to_json() made.
MachineRequest request_from_json(const nlohmann::json& json);

}  // namespace muster::vm
