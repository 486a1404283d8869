#include "cli/backup_area.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <nlohmann/json.hpp>

#include "backup/area_difference.h"
#include "backup/area_export.h"
#include "backup/rfc3339.h"
#include "base/digest.h"
#include "base/error.h"
#include "cli/backup_commands.h"
#include "cli/backup_lease.h"
#include "cli/backup_restoration.h"
#include "cli/exit_status.h"
#include "cli/guest_entries.h"
#include "cli/json_lines.h"

namespace muster::cli {
namespace {

using archive::EntryType;
using backup::AreaItem;
using base::Code;
using base::Error;
using disk::GuestEntry;
using disk::GuestFileType;
using nlohmann::json;

// What reads a listing: nothing of it goes meanwhile.
class Listing {
 public:
  explicit Listing(const AreaOfPoint& point)
      : context_(point.opened.context),
        tree_(point.listed.point.area->tree),
        lease_(hold_points(point.opened, {&point.listed})),
        index_(backup::Index::load(context_, point.opened.repository)),
        keys_(point.opened.repository),
        chunks_(point.opened.repository, *index_, keys_) {}

  AreaItem get(const std::string& path) {
    auto item = backup::find_item(context_, chunks_, tree_, path);
    if (!item) throw Error(Code::not_found, "no '/" + path + "' in the restore point");
    return *std::move(item);
  }
  // What a hard link is a name of, under its own path.
  AreaItem content(AreaItem item) {
    if (item.entry.type != EntryType::hard_link) return item;
    AreaItem target = get(item.entry.target);
    target.entry.path = item.entry.path;
    return target;
  }
  backup::AreaCursor cursor() { return {chunks_, tree_}; }
  const backup::Index& index() const { return *index_; }
  const base::Context& context() const { return context_; }

 private:
  const base::Context& context_;
  const backup::AreaTree tree_;
  std::unique_ptr<backup::Lease> lease_;
  std::unique_ptr<backup::Index> index_;
  backup::PackKeyCache keys_;
  backup::ChunkReader chunks_;
};

GuestFileType type_of(EntryType type) {
  switch (type) {
    case EntryType::directory:
      return GuestFileType::directory;
    case EntryType::symlink:
      return GuestFileType::link;
    case EntryType::fifo:
      return GuestFileType::fifo;
    case EntryType::character_device:
      return GuestFileType::character_device;
    case EntryType::block_device:
      return GuestFileType::block_device;
    case EntryType::file:
    case EntryType::hard_link:
      return GuestFileType::file;
  }
  return GuestFileType::unknown;
}

GuestEntry shown(const AreaItem& item, const std::string& name) {
  GuestEntry entry;
  entry.name = name;
  entry.type = type_of(item.entry.type);
  entry.size_bytes = item.entry.size_bytes;
  entry.mode = item.entry.mode;
  entry.uid = item.entry.uid;
  entry.gid = item.entry.gid;
  entry.modified = std::chrono::sys_seconds(std::chrono::seconds(item.entry.modified.seconds));
  if (item.entry.type == EntryType::symlink) entry.target = item.entry.target;
  return entry;
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// The children of a directory, each without what is below.
std::vector<AreaItem> children_of(Listing& listing, const std::string& path) {
  const std::string below = path.empty() ? "" : path + "/";
  std::vector<AreaItem> children;
  auto cursor = listing.cursor();
  cursor.seek(listing.context(), path);
  cursor.next(listing.context());
  for (auto item = cursor.next(listing.context()); item && item->entry.path.starts_with(below);
       item = cursor.next(listing.context())) {
    children.push_back(*item);
    // No name comes before this one that is not below it: a slash counts as 0.
    if (item->entry.type == EntryType::directory) cursor.seek(listing.context(), item->entry.path + "\x01");
  }
  return children;
}

json item_json(const AreaItem& item) {
  json fields = entry_json(shown(item, "/" + item.entry.path));
  fields["modified_ns"] = item.entry.modified.nanoseconds;
  fields["inode"] = item.inode;
  if (!item.entry.user.empty()) add_text(fields, "user", item.entry.user);
  if (!item.entry.group.empty()) add_text(fields, "group", item.entry.group);
  if (item.entry.type == EntryType::hard_link) {
    fields["kind"] = "hard link";
    add_text(fields, "target", "/" + item.entry.target);
  }
  for (const auto& xattr : item.entry.xattrs) {
    json one{{"value_b64", base::base64_encode(base::as_text(xattr.value))}};
    add_text(one, "name", xattr.name);
    fields["xattrs"].push_back(std::move(one));
  }
  return fields;
}

void show_items(const Program& program, const std::vector<AreaItem>& items) {
  if (program.json()) {
    for (const auto& item : items) program.console.out(json_line("result", item_json(item)));
    return;
  }
  std::vector<GuestEntry> entries;
  for (const auto& item : items) {
    entries.push_back(shown(item, "/" + item.entry.path));
    if (item.entry.type == EntryType::hard_link) entries.back().target = "/" + item.entry.target;
  }
  program.console.out(entries_table(entries));
  if (items.size() != 1) return;
  for (const auto& xattr : items.front().entry.xattrs)
    program.console.out(fmt::format("{}: {} bytes\n", on_one_line(xattr.name), xattr.value.size()));
}

const char* name_of(backup::AreaChange change) {
  switch (change) {
    case backup::AreaChange::added:
      return "added";
    case backup::AreaChange::removed:
      return "removed";
    case backup::AreaChange::content:
      return "content";
    case backup::AreaChange::metadata:
      return "metadata";
  }
  return "";
}

}  // namespace

std::string path_in_area(const std::string& path) {
  std::string inside;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    if (end > at) inside += (inside.empty() ? "" : "/") + path.substr(at, end - at);
    at = end + 1;
  }
  if (!backup::is_area_path(inside)) throw Error(Code::usage, "'" + path + "' is no path in a restore point");
  return inside;
}

int list_area_files(const AreaOfPoint& point, const std::string& path) {
  Listing listing(point);
  const std::string inside = path_in_area(path);
  const AreaItem item = listing.get(inside);
  std::vector<GuestEntry> entries;
  if (item.entry.type == EntryType::directory)
    for (auto& child : children_of(listing, inside))
      entries.push_back(shown(listing.content(child), base_name(child.entry.path)));
  else
    entries.push_back(shown(listing.content(item), base_name(inside)));
  return show_entries(point.program, entries);
}

int print_area_file(const AreaOfPoint& point, const std::string& path) {
  check_may_read(point.opened);
  Listing listing(point);
  const AreaItem item = listing.content(listing.get(path_in_area(path)));
  if (item.entry.type != EntryType::file) throw Error(Code::usage, "'" + path + "' is no regular file");
  backup::read_area_file(listing.context(), point.opened.repository, listing.index(), point.listed.point.area->tree,
                         item, [&](base::ByteView piece) { point.program.console.out(base::as_text(piece)); });
  return kAllWorked;
}

int show_area_files(const AreaOfPoint& point, const std::string& pattern) {
  Listing listing(point);
  std::vector<AreaItem> found;
  std::size_t count = 0;
  if (pattern.find_first_of("*?[") == std::string::npos) {
    found.push_back(listing.get(path_in_area(pattern)));
    count = 1;
  } else {
    const std::string glob = pattern.starts_with('/') ? pattern : "*/" + pattern;
    auto cursor = listing.cursor();
    while (auto item = cursor.next(listing.context())) {
      if (::fnmatch(glob.c_str(), ("/" + item->entry.path).c_str(), 0) != 0) continue;
      ++count;
      item->pieces.clear();
      found.push_back(*std::move(item));
    }
    if (count == 0) throw Error(Code::not_found, "nothing matches '" + pattern + "' in the restore point");
  }
  show_items(point.program, found);
  return close_backup(point.program, {{"entries", count}}, kAllWorked);
}

int compare_areas(const AreaOfPoint& from, const AreaOfPoint& to) {
  const auto lease = hold_points(from.opened, {&from.listed, &to.listed});
  const auto index = backup::Index::load(from.opened.context, from.opened.repository);
  const Program& program = from.program;
  std::uint64_t changes = 0;
  backup::compare_areas(
      from.opened.context, from.opened.repository, *index, from.listed.point.area->tree, to.listed.point.area->tree,
      [&](backup::AreaChange change, const AreaItem& item) {
        ++changes;
        if (program.json()) {
          json fields{{"change", name_of(change)}};
          add_text(fields, "name", "/" + item.entry.path);
          program.console.out(json_line("result", std::move(fields)));
        } else {
          program.console.out(fmt::format("{:<9} /{}\n", name_of(change), on_one_line(item.entry.path)));
        }
      });
  return close_backup(program, {{"changes", changes}}, kAllWorked);
}

}  // namespace muster::cli
