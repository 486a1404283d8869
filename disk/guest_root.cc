#include "disk/guest_root.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/text.h"
#include "disk/guest_ext_root.h"
#include "disk/guest_fish_root.h"
#include "disk/guest_volumes.h"

namespace muster::disk {
namespace {

using base::Code;
using base::Context;
using base::Error;

// Whether what is under `/etc`, `/var` and homes is in the root's file system, as far as its table says.
bool is_in_one(const std::string& fstab) {
  constexpr std::array kApart{"/etc", "/var", "/root", "/home"};
  for (const auto& line : base::lines_of(fstab)) {
    const auto words = base::words_of(line);
    if (words.size() < 2 || words[0].starts_with('#')) continue;
    for (const std::string place : kApart)
      if (words[1] == place || words[1].starts_with(place + "/")) return false;
  }
  return true;
}

// Where a system may be that e2fsprogs know nothing of.
bool may_hold_another(const std::string& type) {
  constexpr std::array<std::string_view, 7> kTypes{
      "xfs", "btrfs", "f2fs", "LVM2_member", "crypto_LUKS", "zfs_member", "linux_raid_member"};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

// Whether a file system of ext's is one that holds a system; nullopt: e2fsprogs do not know all that is in it.
std::optional<bool> holds_system(const Context& ctx, ExtRoot& root, Access access) {
  if (!root.is_known()) return std::nullopt;
  if (access == Access::write) root.mend(ctx);
  try {
    return root.read(ctx, "/etc/fstab").has_value();
  } catch (const Error& e) {
    // Of one that is not mended, because it is only looked at.
    if (e.code() != Code::corrupt) throw;
    return false;
  }
}

// nullptr: that does not do for what is in the disk.
std::unique_ptr<GuestRoot> open_ext_root(const Context& ctx, const MachineDisk& disk, Access access,
                                         const std::string& temporary_directory) {
  const auto served = std::make_shared<ServedImage>(ctx, disk, access, temporary_directory);
  std::unique_ptr<ExtRoot> only;
  for (const auto& volume : find_guest_volumes(ctx, served->file)) {
    if (may_hold_another(volume.type)) return nullptr;
    if (!volume.type.starts_with("ext")) continue;
    auto root = std::make_unique<ExtRoot>(served, volume);
    const auto found = holds_system(ctx, *root, access);
    if (!found) return nullptr;
    if (!*found) continue;
    if (only) throw Error(Code::unsupported, disk.path + ": holds several systems, and which one boots is not known");
    only = std::move(root);
  }
  if (!only || !is_in_one(only->read(ctx, "/etc/fstab").value_or(""))) return nullptr;
  return only;
}

}  // namespace

bool is_plain_guest_name(std::string_view name) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@:+~-";
  constexpr std::string_view kInside = " ,()";
  if (name.empty() || name == "." || name == ".." || kInside.find(name.front()) != std::string_view::npos) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return kPlain.find(c) != std::string_view::npos || kInside.find(c) != std::string_view::npos;
  });
}

void check_plain_guest_name(const std::string& where, const std::string& path, std::string_view name) {
  if (!is_plain_guest_name(name))
    throw Error(Code::unsupported, where + ":" + path + ": files of such names are not changed");
}

std::unique_ptr<GuestRoot> open_guest_root(const Context& ctx, const std::vector<MachineDisk>& disks, Access access,
                                           const std::string& temporary_directory) {
  if (disks.empty()) throw Error(Code::usage, "a machine without disks has no files");
  if (auto root = open_ext_root(ctx, disks.front(), access, temporary_directory)) return root;
  return std::make_unique<FishRoot>(ctx, disks, access, disks.front().path, temporary_directory);
}

}  // namespace muster::disk
