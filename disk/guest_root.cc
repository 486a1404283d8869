#include "disk/guest_root.h"

#include <algorithm>
#include <array>
#include <sstream>

#include "base/error.h"
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
  std::istringstream lines(fstab);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string what, where;
    words >> what >> where;
    if (what.starts_with('#')) continue;
    for (const std::string place : kApart)
      if (where == place || where.starts_with(place + "/")) return false;
  }
  return true;
}

// nullptr: that does not do for what is in the disk.
std::unique_ptr<GuestRoot> open_ext_root(const Context& ctx, const MachineDisk& disk, Access access,
                                         const std::string& temporary_directory) {
  const auto served = std::make_shared<const ServedImage>(ctx, disk, access, temporary_directory);
  for (const auto& volume : find_guest_volumes(ctx, served->file)) {
    if (!volume.type.starts_with("ext")) continue;
    auto root = std::make_unique<ExtRoot>(served, volume);
    const auto fstab = root->read(ctx, "/etc/fstab");
    if (!fstab) continue;
    if (!is_in_one(*fstab)) return nullptr;
    if (access == Access::write) root->mend(ctx);
    return root;
  }
  return nullptr;
}

}  // namespace

bool is_plain_guest_name(std::string_view name) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@:+~-";
  return !name.empty() && name != "." && name != ".." && name.find_first_not_of(kPlain) == std::string_view::npos;
}

std::unique_ptr<GuestRoot> open_guest_root(const Context& ctx, const std::vector<MachineDisk>& disks, Access access,
                                           const std::string& temporary_directory) {
  if (disks.empty()) throw Error(Code::usage, "a machine without disks has no files");
  if (auto root = open_ext_root(ctx, disks.front(), access, temporary_directory)) return root;
  return std::make_unique<FishRoot>(ctx, disks, access, disks.front().path, temporary_directory);
}

}  // namespace muster::disk
