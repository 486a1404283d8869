// The definition of a machine that is booted for a try, out of another's: nothing of that comes along but what is named
// here. So no device, share, network, file or command line of the host's does, whatever the definition says. Pure
// functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "virt/domain_xml.h"
#include "virt/guest_offers.h"
#include "virt/metadata.h"

namespace muster::virt {

struct CheckDisk {
  std::string target;  // of a disk of the original
  std::string socket;  // of an NBD server that serves it raw
};

struct CheckMachine {
  std::string name;
  std::vector<CheckDisk> disks;
  std::uint64_t most_memory_bytes = 0;
  unsigned most_cpus = 1;
  GuestOffer offer;  // of the hypervisor: it accelerates, or emulates
  // Of the firmware that the hypervisor offers; the original's must be one of them.
  std::vector<std::string> loaders;
  std::string variables;  // a file of the try's own; empty: the original has none, or libvirt is to make them
  enum class Ssh { hidden, forwarded } ssh = Ssh::hidden;  // forwarded: to a free port of 127.0.0.1
  MetadataElement mark;                                    // into its metadata
};

// Of the original: architecture, machine, firmware and its settings, a few features, the clock; memory and processors,
// capped; the disks named, on their buses, with serials and sector sizes; controllers; kind and place of the first
// interface, which becomes one in user mode with restrict=on; kind of the display, without anybody to look at it. New:
// name, UUID, MAC address, processor model, a serial console, a channel for the agent. Throws base::Error{unsupported}
// for firmware that the hypervisor does not offer, and for what is no machine of QEMU's.
std::string check_definition(const DomainXml& original, const CheckMachine& machine);

}  // namespace muster::virt
