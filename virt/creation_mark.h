// The mark that a machine carries in its metadata (a part of it, metadata.h) while it is being made: who makes it, and
// which volumes are made for it. What a killed program leaves is recognised by it. Pure functions but for the last,
// which asks libvirt. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "virt/domain.h"
#include "virt/domain_xml.h"
#include "virt/metadata.h"

namespace muster::virt {

struct VolumeName {
  std::string pool, name;
};
// `volume 'NAME' of pool 'POOL'`, for people.
std::string told(const VolumeName& volume);

struct CreationMark {
  std::string uuid;     // of the machine: a mark goes with its definition wherever that is copied
  std::string host;     // of the maker, for people
  std::string machine;  // the maker's host and process space, since its boot: pids compare only where this is the same
  std::int64_t pid = 0;
  std::uint64_t started = 0;  // of the process, as /proc/PID/stat counts: a pid alone may be somebody else's by now
  std::string since;          // RFC 3339
  std::vector<VolumeName> volumes;
};

MetadataElement to_metadata(const CreationMark& mark);
CreationMark creation_mark(const MetadataElement& part);
// What a machine is defined as while it is being made: `definition` without its disks, with the mark.
std::string marked_definition(const DomainXml& definition, const CreationMark& mark);

// nullopt: nobody makes it. So it is for one that has disks, which somebody gave it by hand: the maker takes the mark
// away with the same call that gives it disks.
std::optional<CreationMark> creation_mark(const Domain& domain);

}  // namespace muster::virt
