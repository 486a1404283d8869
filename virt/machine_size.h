// How large a definition's machine is, and what it is connected to: changed in the XML, before it is defined. Pure
// functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "virt/domain_xml.h"

namespace muster::virt {

// All of them at once; a topology of sockets and cores, or NUMA cells, that cannot be that large is gone. Returns what
// is gone, in words.
std::vector<std::string> set_cpus(DomainXml& definition, unsigned cpus);
std::vector<std::string> set_memory(DomainXml& definition, std::uint64_t bytes);

// `elements`: XML of <interface>s, as device_xml() makes them, in place of those there are.
void set_interfaces(DomainXml& definition, const std::vector<std::string>& elements);

// Adds a controller for disks of the bus scsi, unless there is one that guests for virtio know.
void ensure_virtio_scsi(DomainXml& definition);

void remove_disk(DomainXml& definition, const std::string& target);

// Adds a <disk>, as XML, after the others.
void add_disk(DomainXml& definition, const std::string& element);

}  // namespace muster::virt
