// The XML of a machine that is to be made. Pure functions: what the hypervisor offers comes in as values.
#pragma once

#include <string>
#include <vector>

#include "virt/guest_offers.h"
#include "vm/machine_spec.h"

namespace muster::vm {

// A disk or drive of the new machine, its place known.
struct BuiltDisk {
  enum class Device { disk, cdrom } device = Device::disk;
  std::string target;  // `vda`
  std::string bus;     // `virtio`, `scsi`, `sata`
  std::string format;
  virt::DiskSource source;
};

// A <disk> of QEMU's.
std::string disk_element(const BuiltDisk& disk);

// `vda`, `sda`, ... in the order they are asked for; SCSI and SATA share their names.
class DiskNames {
 public:
  std::string next(const std::string& bus);

 private:
  unsigned virtio_ = 0, other_ = 0;
};

struct DomainParts {
  const MachineRequest& request;
  const virt::GuestOffer& offer;
  std::string uuid;
  std::vector<BuiltDisk> disks;
  std::vector<NetworkRequest> networks;  // none of kind `none`
  std::string metadata;                  // an element, or empty
};

// With a serial console, a channel for the guest agent and a random number generator where the driver is QEMU's.
std::string domain_xml(const DomainParts& parts);

}  // namespace muster::vm
