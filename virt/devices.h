// Devices of a domain that come and go: disks, interfaces, media. One call of libvirt each; that a running guest has
// really let go of a device shows only in the XML later, which is vm/'s to wait for. Errors: base::Error{unsupported}
// for what the driver or the bus cannot do, {refused} for the state, {not_found}. Thread-safe.
#pragma once

#include <optional>
#include <string>

#include "virt/connection.h"
#include "virt/domain_xml.h"

namespace muster::virt {

// What a disk or drive shows: an image, or a block device, on the hypervisor.
struct ImageSource {
  std::string path;
  bool block = false;
  std::string format;  // `raw`, `qcow2`, ...; empty: not known

  bool operator==(const ImageSource&) const = default;
};

// Of a storage volume. By its path, and not as a volume: snapshots of disks that are volumes are refused. Throws
// base::Error{not_found}, {unsupported} for a volume that has no path.
ImageSource volume_source(const Connection& connection, const std::string& pool, const std::string& volume);
// The volume that has this path, if any active pool knows it.
std::optional<ImageSource> volume_at(const Connection& connection, const std::string& path);

struct NewDisk {
  ImageSource source;
  std::string target;  // `vdb`
  std::string bus;     // `virtio`, `scsi`, ...
  bool read_only = false;
};
std::string device_xml(const NewDisk& disk);

struct NewInterface {
  std::string kind;    // `network`, `bridge`, `user`
  std::string source;  // of the first two
  std::string mac;
  std::string model;  // `virtio`, `e1000e`, ...
};
std::string device_xml(const NewInterface& interface);

// The element of a disk by its target or of an interface by its MAC, in any case; nullopt: there is none.
std::optional<std::string> find_device(const DomainXml& xml, const std::string& target_or_mac);
// A disk's element with another source; nullopt: empty.
std::string with_source(const std::string& disk_element, const std::optional<ImageSource>& source);

enum class Reach {
  now,         // the running domain
  next_start,  // the definition
  both,        // in one step: both, or neither; the device has the same address in both
};
void attach_device(const Domain& domain, const std::string& element, Reach reach);
// Of a running domain: asks the guest. It may not be gone when this returns, nor ever.
void detach_device(const Domain& domain, const std::string& element, Reach reach);
void update_device(const Domain& domain, const std::string& element, Reach reach);

}  // namespace muster::virt
