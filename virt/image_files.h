// Image files as the hypervisor's own storage driver sees them: which one is built on which, which are the same file,
// and their removal. Over any connection: nothing is opened here. A directory that is no pool is looked at as a pool of
// its own for a moment, `muster-scratch-...`. Those that a killed program left are taken away by the next that looks,
// and who still used one gets base::Error{busy}. Block on storage. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "virt/connection.h"
#include "virt/domain_xml.h"
#include "virt/storage.h"

namespace muster::virt {

struct ImageFile {
  std::string path = {};
  std::string backing_path = {};  // as its header says, absolute; empty: none
  // Equal for one file under two paths (links, mounts): its inode where this machine sees it as well, else its times
  // and size, which copies made at the same moment may share. Empty where libvirt tells no times.
  std::string identity = {};
  std::uint64_t allocation_bytes = 0;
};

// The images by path, in all active pools, which are read anew, in `directories`, and wherever those found are built
// on others. What cannot be looked at is named in `unseen`, with the reason; a directory that does not exist has no
// images.
struct ImageListing {
  std::map<std::string, ImageFile> images;
  std::vector<std::string> unseen;
};
ImageListing list_images(const Connection& connection, const std::set<std::string>& directories);

// The path of a disk's image, as libvirt writes paths, without doubled slashes; of storage without files, what stands
// for one, which does not begin with a slash. Empty: it has none (an empty drive, storage on the network), or its pool
// is not active or has no such volume.
std::string image_path(const Connection& connection, const DiskElement& disk);

// Everything a definition uses as storage: sources of disks, their backing images where it tells them, the target of
// a copy under way, firmware variables, kernel, memory and file systems in files.
struct NamedPaths {
  std::set<std::string> paths;
  std::set<std::string> unknown;  // POOL/VOLUME, of pools that are not active, or have no such volume
};
NamedPaths named_paths(const Connection& connection, const DomainXml& xml);

// As ImageFile::identity, of one path: as this machine sees it if it is the hypervisor, else as the active pools do.
// Empty: neither sees it.
std::string identity_of(const Connection& connection, const std::string& path);

// Whether this machine sees the hypervisor's file under the same path, and not another one, or none.
bool is_seen_here(const Connection& connection, const std::string& path);

// The same of a pool of files, by any volume that it has: false for an empty one.
bool is_seen_here(const Connection& connection, const Pool& pool);

enum class Removal { removed, was_gone };
// Throws base::Error{unsupported} where the hypervisor has no storage driver, {refused} for what is no file.
Removal remove_image(const Connection& connection, const std::string& path);

// A raw copy beside it, in place of what is there. False: there is no such file.
bool copy_image(const Connection& connection, const std::string& path, const std::string& name);

// A small file's content, as that of a machine's firmware variables; nullopt: there is none. Throws
// base::Error{unsupported} where the hypervisor has no storage driver, {corrupt} for more than `limit` bytes.
std::optional<std::string> read_small_file(const base::Context& ctx, const Connection& connection,
                                           const std::string& path, std::uint64_t limit);
// All files of active pools whose names end in `suffix`, by path. What cannot be read is told as a warning.
std::map<std::string, std::string> read_small_files(const base::Context& ctx, const Connection& connection,
                                                    std::string_view suffix, std::uint64_t limit);
// Throws base::Error{refused} where there is one of the name, {not_found} where its directory is not.
void create_small_file(const base::Context& ctx, const Connection& connection, const std::string& path,
                       std::string_view bytes);
// In place of what is there. Throws base::Error{not_found} where its directory is not.
void write_small_file(const base::Context& ctx, const Connection& connection, const std::string& path,
                      std::string_view bytes);

// One that this file makes for a moment: no place for anything.
bool is_scratch_pool(std::string_view name);

// Of a path: `/` for what lies at the top.
std::string directory_of(const std::string& path);
// Of `/x/web01.qcow2`: `web01.qcow2`.
std::string file_name_of(const std::string& path);

}  // namespace muster::virt
