#include "vm/copied_images.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/error.h"
#include "virt/image_files.h"
#include "virt/metadata.h"
#include "virt/migration.h"
#include "virt/statistics.h"
#include "virt/storage.h"

namespace muster::vm {
namespace {

using base::Error;

constexpr const char* kPart = "copying";

// Where the images of an interrupted move are: URI and UUID of its target, and their paths.
struct Note {
  std::string uri, host;
  std::vector<std::string> paths;
};

std::optional<Note> note_of(const virt::Domain& domain) {
  const auto part = virt::own_metadata_part(domain, kPart);
  if (!part) return std::nullopt;
  Note note{.uri = part->attribute("uri"), .host = part->attribute("host"), .paths = {}};
  for (const auto& image : part->children) note.paths.push_back(image.attribute("path"));
  return note;
}

void write_note(const virt::Domain& domain, const Note& note) {
  virt::MetadataElement part{.name = kPart,
                             .attributes = {{"uuid", domain.uuid()}, {"uri", note.uri}, {"host", note.host}}};
  for (const auto& path : note.paths) part.children.push_back({.name = "image", .attributes = {{"path", path}}});
  virt::put_metadata_part(domain, part);
}

// What domains of the target name as storage.
virt::NamedPaths named_on(const virt::Connection& target) {
  virt::NamedPaths all;
  const auto add = [&](const virt::Domain& domain, virt::Domain::Xml which) {
    auto named = virt::named_paths(target, virt::DomainXml(domain.xml(which)));
    all.paths.merge(named.paths);
    all.unknown.merge(named.unknown);
  };
  for (const auto& domain : target.domains()) {
    try {
      add(domain, virt::Domain::Xml::definition);
      add(domain, virt::Domain::Xml::current);
    } catch (const Error& e) {
      if (e.code() != base::Code::not_found) throw;  // gone since it was listed
    }
  }
  return all;
}

// Why it cannot be removed; empty: it is gone.
std::string failed_removal(const virt::Connection& target, const std::string& path) {
  try {
    virt::remove_image(target, path);
    return "";
  } catch (const Error& e) {
    return e.what();
  }
}

virt::VolumeSpec spec_of(const virt::Domain& domain, const CopiedImage& image) {
  return {.name = virt::file_name_of(image.path),
          .format = image.format == "raw" ? virt::VolumeFormat::raw : virt::VolumeFormat::qcow2,
          .capacity_bytes = virt::disk_sizes(domain, image.target).capacity_bytes.value_or(0)};
}

std::string room_refusal(const virt::Pool& pool, std::uint64_t needed_bytes) {
  const auto available = virt::facts(pool).available_bytes;
  if (available >= needed_bytes) return "";
  return fmt::format("storage pool '{}' of the target has {} MiB left, and the images take {} MiB: make room there",
                     pool.name(), available >> 20, (needed_bytes + (1U << 20) - 1) >> 20);
}

}  // namespace

std::vector<CopiedImage> images_to_copy(const virt::DomainXml& machine) {
  std::vector<CopiedImage> images;
  for (const auto& disk : machine.disks())
    if (disk.device == "disk" && disk.type == "file" && !disk.source.empty() && !disk.read_only && !disk.shareable)
      images.push_back({.target = disk.target, .path = disk.source, .format = disk.format});
  return images;
}

std::vector<std::string> refusals_to_copy(const virt::Domain& domain, const virt::Connection& target) {
  std::vector<std::string> refusals;
  const auto note = note_of(domain);
  std::set<std::string> begun;
  if (note && note->host == virt::host_uuid(target)) begun = {note->paths.begin(), note->paths.end()};
  std::map<std::string, std::uint64_t> needed_bytes;  // by directory
  for (const auto& image : images_to_copy(virt::DomainXml(domain.xml(virt::Domain::Xml::current)))) {
    const std::string directory = virt::directory_of(image.path);
    const auto pool = virt::pool_of_directory(target, directory);
    if (!pool)
      refusals.push_back(
          fmt::format("no storage pool of the target has the directory of {} ({}): define one, so "
                      "that its image can be made there",
                      image.target, image.path));
    else if (pool->find(virt::file_name_of(image.path)) && !begun.contains(image.path))
      refusals.push_back(
          fmt::format("the target has {} already, which is not overwritten: where both hypervisors see "
                      "the same storage, leave out --copy-storage; else move it away there",
                      image.path));
    else
      needed_bytes[directory] += virt::disk_sizes(domain, image.target).allocation_bytes.value_or(0);
  }
  for (const auto& [directory, bytes] : needed_bytes)
    if (const auto refusal = room_refusal(*virt::pool_of_directory(target, directory), bytes); !refusal.empty())
      refusals.push_back(refusal);
  return refusals;
}

void make_copies(const base::Context& ctx, const virt::Domain& domain, const virt::Connection& target,
                 const std::vector<CopiedImage>& images) {
  Note note{.uri = target.uri(), .host = virt::host_uuid(target), .paths = {}};
  for (const auto& image : images) {
    const auto pool = virt::pool_of_directory(target, virt::directory_of(image.path));
    if (!pool) throw Error(base::Code::not_found, "no storage pool of the target has the directory of " + image.path);
    note.paths.push_back(image.path);
    write_note(domain, note);
    try {
      virt::create_volume(ctx, *pool, spec_of(domain, image));
    } catch (const Error& e) {
      // It has come to be there meanwhile, and is somebody else's.
      if (e.code() == base::Code::refused) note.paths.pop_back();
      write_note(domain, note);
      throw;
    }
  }
}

void forget_copying(const virt::Domain& domain) { virt::drop_metadata_part(domain, kPart); }

void remove_copies(const base::Context& ctx, const virt::Domain& domain, const virt::Connection& target) {
  auto note = note_of(domain);
  if (!note) return;
  // The copies are what it runs on: only the note was left.
  if (note->host == virt::host_uuid(domain)) return forget_copying(domain);
  const std::string what = "'" + domain.name() + "': an unfinished copy of its image is left on " + note->uri;
  if (note->host != virt::host_uuid(target)) {
    ctx.warn(fmt::format("{}: {}", what, fmt::join(note->paths, ", ")));
    return forget_copying(domain);
  }
  const auto named = named_on(target);
  std::erase_if(note->paths, [&](const auto& path) {
    const auto has_its_name = [&](const auto& volume) {
      return virt::file_name_of(volume) == virt::file_name_of(path);
    };
    return named.paths.contains(path) || std::any_of(named.unknown.begin(), named.unknown.end(), has_its_name);
  });
  std::vector<std::string> left;
  for (const auto& path : note->paths) {
    const std::string failure = failed_removal(target, path);
    if (failure.empty()) continue;
    ctx.warn(fmt::format("{}: {} ({})", what, path, failure));
    left.push_back(path);
  }
  note->paths = left;
  if (left.empty()) return forget_copying(domain);
  write_note(domain, *note);
}

}  // namespace muster::vm
