#include "disk/guest_fish_root.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "disk/guest_file_system.h"
#include "disk/scratch_file.h"

namespace muster::disk {
namespace {

using base::Code;
using base::Context;
using base::Error;

void check_changeable(const std::string& name, const std::string& path) {
  check_guest_path(name, path);
  check_plain_guest_name(name, path, std::filesystem::path(path).filename().string());
}

std::string directory_of(const std::string& path) { return std::filesystem::path(path).parent_path(); }

// Anything of a system's own may lie there; elsewhere are data.
bool is_needed(const std::string& mount_point) {
  constexpr std::array kOwn{"/etc", "/usr", "/var", "/root", "/home"};
  return mount_point == "/" || std::any_of(kOwn.begin(), kOwn.end(), [&](const std::string own) {
           return mount_point == own || mount_point.starts_with(own + "/");
         });
}

}  // namespace

std::vector<MountPoint> parse_mount_points(std::string_view text) {
  std::vector<MountPoint> points;
  for (const auto& line : base::lines_of(text)) {
    const std::size_t colon = line.rfind(": ");
    if (colon == std::string::npos || !line.starts_with('/'))
      throw Error(Code::corrupt, "guestfish's mount points make no sense");
    points.push_back({line.substr(0, colon), line.substr(colon + 2)});
  }
  std::stable_sort(points.begin(), points.end(),
                   [](const auto& a, const auto& b) { return a.path.size() < b.path.size(); });
  return points;
}

FishRoot::FishRoot(const Context& ctx, const std::vector<MachineDisk>& disks, Access access, const std::string& name,
                   const std::string& temporary_directory)
    : fish_(ctx, disks, access, name, temporary_directory) {
  mount(ctx, access);
}

void FishRoot::mount(const Context& ctx, Access access) {
  const auto systems = base::lines_of(fish_.tell(ctx, {"inspect-os"}));
  if (systems.size() != 1)
    throw Error(Code::unsupported,
                fish_.name() + (systems.empty() ? ": holds no system that libguestfs knows"
                                                : ": holds several systems, and which one boots is not known"));
  const std::string type = fish_.tell(ctx, {"inspect-get-type", systems.front()});
  if (type != "linux\n")
    throw Error(Code::unsupported, fish_.name() + ": holds " + type.substr(0, type.find('\n')) + ", and no Linux");
  for (const auto& point : parse_mount_points(fish_.tell(ctx, {"inspect-get-mountpoints", systems.front()}))) {
    const auto mounted = fish_.ask(ctx, {access == Access::write ? "mount" : "mount-ro", point.device, point.path});
    if (mounted.complaint.empty()) continue;
    if (is_needed(point.path)) throw Error(Code::io, fish_.name() + ":" + point.path + ": " + mounted.complaint);
    ctx.note(fish_.name() + ":" + point.path + ": is left out: " + mounted.complaint);
  }
}

bool FishRoot::holds(const Context& ctx, const char* question, const std::string& path) const {
  return fish_.tell(ctx, {question, path, "followsymlinks:true"}) == "true\n";
}

std::vector<std::string> FishRoot::names_in(const Context& ctx, const std::string& directory) {
  check_guest_path(fish_.name(), directory);
  if (!holds(ctx, "is-dir", directory)) return {};
  return base::lines_of(fish_.tell(ctx, {"ls", directory}));
}

std::optional<std::string> FishRoot::read(const Context& ctx, const std::string& path) {
  check_guest_path(fish_.name(), path);
  if (!holds(ctx, "is-file", path)) return std::nullopt;
  const std::string size = fish_.tell(ctx, {"filesize", path});
  if (size.size() > 19 || std::stoull("0" + size) > kMaxFileBytes)
    throw Error(Code::corrupt, fish_.name() + ":" + path + ": is too large for what it should be");
  return fish_.tell(ctx, {"download", path, "/dev/stdout"});
}

// SELinux's label, too, where its directory has one.
void FishRoot::own(const Context& ctx, const std::string& path, const GuestOwner& owner) const {
  fish_.tell(ctx, {"chmod", fmt::format("0{:o}", owner.mode), path});
  fish_.tell(ctx, {"chown", std::to_string(owner.uid), std::to_string(owner.gid), path});
  const auto label = fish_.ask(ctx, {"getxattr", directory_of(path), "security.selinux"});
  if (!label.complaint.empty()) return;
  const std::string text = owner.label.empty()
                               ? label.text.substr(0, label.text.find_first_of(std::string_view("\n\0", 2)))
                               : std::string(owner.label);
  fish_.tell(ctx, {"setxattr", "security.selinux", text, std::to_string(text.size()), path});
}

void FishRoot::write(const Context& ctx, const std::string& path, std::string_view content, const GuestOwner& fresh) {
  check_changeable(fish_.name(), path);
  const bool there = holds(ctx, "is-file", path);
  if (!there && fish_.tell(ctx, {"exists", path}) == "true\n")
    throw Error(Code::usage, fish_.name() + ":" + path + ": is no regular file");
  if (!there && !holds(ctx, "is-dir", directory_of(path)))
    throw Error(Code::not_found, fish_.name() + ":" + path + ": there is no such directory");
  const std::string file = fish_.directory() + "/content";
  write_scratch(file, content);
  fish_.tell(ctx, {"upload", file, path});
  if (!there) own(ctx, path, fresh);
  if (read(ctx, path) != content)
    throw Error(Code::io, fish_.name() + ":" + path + ": what was written is not what is there");
}

void FishRoot::remove(const Context& ctx, const std::string& path) {
  check_changeable(fish_.name(), path);
  if (fish_.tell(ctx, {"is-dir", path}) == "true\n")
    throw Error(Code::usage, fish_.name() + ":" + path + ": is a directory");
  fish_.tell(ctx, {"rm-f", path});
}

void FishRoot::make_directory(const Context& ctx, const std::string& path, const GuestOwner& fresh) {
  check_changeable(fish_.name(), path);
  if (holds(ctx, "is-dir", path)) return;
  fish_.tell(ctx, {"mkdir", path});
  own(ctx, path, fresh);
}

}  // namespace muster::disk
