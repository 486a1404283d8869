// One generation of a master: images that never change again, and the machine they belonged to. It is recorded in the
// claims beside its images (disk/image_claim.h), the whole of it beside each. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "virt/creation_mark.h"

namespace muster::clone {

struct MasterImage {
  std::string target;  // `vda`
  std::string path;
  std::string format;  // `qcow2`, `raw`
  std::string backing_path = {};
  std::uint64_t capacity_bytes = 0;    // of the disk
  std::uint64_t allocation_bytes = 0;  // what it took when it was sealed
  std::uint64_t physical_bytes = 0;    // of the file, holes included
  std::string modified = {};           // seconds since 1970 with nanoseconds, as libvirt has them
  std::string header_sha256 = {};      // of the first kHeaderBytes
  std::string content_sha256 = {};     // content_digest.h
  // It was made for the master, and goes with it; else it was there before, with this mode.
  bool made = false;
  std::optional<unsigned> mode_before = std::nullopt;
  // What it is a copy of, and when that had changed last: sealing the same again is nothing new.
  std::string copy_of = {}, copy_of_modified = {};
  std::uint64_t carried_bytes = 0;  // of one that is on its way from another hypervisor: from its beginning
};
inline constexpr std::uint64_t kHeaderBytes = 64U << 10;

// Where clones get an identity of their own from.
enum class GuestKind {
  cloud_init,  // a NoCloud seed at their first boot
  offline,     // what is written into their disks before it
  none,        // nowhere: the guest sees to it
};
const char* name_of(GuestKind kind);
// Throws base::Error{usage}.
GuestKind guest_kind_named(std::string_view name);

struct Generation {
  std::string master;
  unsigned number = 1;
  std::string sealed;       // RFC 3339
  std::string source;       // what it was made of, for people
  std::string source_uuid;  // of the machine it was; empty: it was an image alone
  std::vector<MasterImage> images;
  std::string definition;  // of the machine, as XML; of an image alone that of a usual one
  std::string variables;   // of its UEFI firmware; empty: none
  // Of its emulated TPM, bytes, where its clones are to begin with that; empty: each begins with a new one.
  std::string tpm_state = {};
  GuestKind guest = GuestKind::cloud_init;
  // Who is at making its images, until they are whole.
  std::optional<virt::CreationMark> maker = std::nullopt;

  bool whole() const { return !maker; }
};

// `web@2`.
std::string name_of(const Generation& generation);

std::string to_text(const Generation& generation);
// Throws base::Error{corrupt} for what to_text() did not write, or a newer version of it.
Generation generation_from(std::string_view text);

// `web`, `web@2`.
struct MasterName {
  std::string name;
  std::optional<unsigned> number = std::nullopt;  // nullopt: the newest
};
// Throws base::Error{usage}: a name is letters, digits, `.`, `_`, `+`, `-`, not first a `.` or `-`, at most 128 of
// them.
MasterName parse_master_name(std::string_view text);

}  // namespace muster::clone
