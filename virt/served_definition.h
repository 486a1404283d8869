// The definition of a machine that runs from disks that somebody serves over NBD, until they are moved into images of
// its own. Pure functions.
#pragma once

#include <map>
#include <string>

#include "virt/domain_xml.h"
#include "virt/metadata.h"

namespace muster::virt {

// What muster keeps of such a machine in its metadata, as the part kServedPart.
inline constexpr const char* kServedPart = "served";

// `sockets`: of the servers, by disk. Each of these disks gets, below its own image, the server's raw disk; and errors
// stop the machine, where it would otherwise be told that its disk is broken: a server that is away comes back. `mark`,
// named kServedPart, goes into the metadata in place of other facts, with what is changed here.
std::string served_definition(const DomainXml& xml, const std::map<std::string, std::string>& sockets,
                              const MetadataElement& mark);

// Of one whose disks are all in its own images: how it was before served_definition(), but for the mark.
std::string settled_definition(const DomainXml& xml, const MetadataElement& mark);

}  // namespace muster::virt
