// Disks, interfaces and media of a machine, put in and taken out: of a running machine now, and of its definition. All
// of it is looked for afterwards where it should be, or no longer be. Thread-safe.
#pragma once

#include <chrono>
#include <string>

#include "base/context.h"
#include "virt/devices.h"

namespace muster::vm {

struct DiskToAttach {
  std::string image;  // a path on the hypervisor, or POOL/VOLUME
  // Empty: the next free one of the bus; the bus that fits the target, or else the machine's disks; what the volume,
  // the name's end, or the kind of device says.
  std::string target, bus, format;
  bool read_only = false;
};

struct InterfaceRequest {
  std::string kind = "network";  // `network`, `bridge`, `user`
  std::string source;            // of the first two
  std::string mac, model;        // empty: a new one; as the machine's other interfaces, or virtio
};

struct DeviceChange {
  std::string device;       // target or MAC
  bool changed = false;     // false: it was so already
  bool now = false;         // of the running machine
  bool next_start = false;  // of the definition
};

// Throws base::Error{refused} for a target or address that is taken, {usage} for an image whose format nobody knows,
// {not_found} for a volume.
DeviceChange attach_disk(const virt::Connection& connection, const virt::Domain& domain, const DiskToAttach& request);
DeviceChange attach_interface(const virt::Domain& domain, const InterfaceRequest& request);

// Blocks until a running guest has let go of it. Throws base::Error{timeout} after `patience`; by then the definition
// has the device no more. {not_found} where there is none.
DeviceChange detach(const base::Context& ctx, const virt::Domain& domain, const std::string& target_or_mac,
                    std::chrono::milliseconds patience);

// `target`: empty where the machine has one drive only. In place of what is there. Throws base::Error{usage} where it
// has several, {refused} where it has none.
DeviceChange insert_medium(const virt::Connection& connection, const virt::Domain& domain, const std::string& image,
                           const std::string& target);
DeviceChange eject_medium(const virt::Domain& domain, const std::string& target);

}  // namespace muster::vm
