// A definition that becomes another machine's, for copies and restores: what may be there only once is taken out, so
// that libvirt makes it anew, and everything else stays. Pure functions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "virt/domain_xml.h"

namespace muster::virt {

// Where the images of some disks are now.
struct ImagePlace {
  std::string path, format;  // qcow2, raw
  bool block = false;        // a block device, and no file
};

struct NewIdentity {
  std::string name;
  std::map<std::string, ImagePlace> disks;  // by target
  // Machines read these from inside, and may look for their disks by them. Else new ones are made of `uuid`, where
  // there were any.
  bool keep_disk_serials = true;
  std::string uuid = {};               // empty: libvirt makes one
  std::vector<std::string> macs = {};  // of the interfaces, in their order; those that are missing libvirt makes
  bool keep_metadata_of_others = true;
};

struct Rewritten {
  std::string xml;
  std::vector<std::string> left_out;  // what the new machine does not have, in words
};

// Name, UUID (that of the firmware's tables, too, and serial numbers there), generation ID, MAC addresses, ports,
// sockets, logs, host devices, the firmware's variables and the TPM's state are new; facts that muster keeps about the
// old machine are gone. Names of cgroups and shared memory that have the old name in them get the new one. Disks that
// are not in `identity` keep their source where they are read-only, and have none where they are not.
Rewritten with_new_identity(const DomainXml& xml, const NewIdentity& identity);

// The same machine, with its images elsewhere, under a name that may be another.
Rewritten with_images(const DomainXml& xml, const NewIdentity& identity);

}  // namespace muster::virt
