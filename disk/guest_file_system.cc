#include "disk/guest_file_system.h"

#include "base/error.h"

namespace muster::disk {

GuestFileType guest_file_type(std::uint32_t mode) {
  switch (mode & 0170000U) {
    case 0100000U:
      return GuestFileType::file;
    case 0040000U:
      return GuestFileType::directory;
    case 0120000U:
      return GuestFileType::link;
    case 0020000U:
      return GuestFileType::character_device;
    case 0060000U:
      return GuestFileType::block_device;
    case 0010000U:
      return GuestFileType::fifo;
    case 0140000U:
      return GuestFileType::socket;
    default:
      return GuestFileType::unknown;
  }
}

void check_guest_path(const std::string& name, const std::string& path) {
  constexpr std::size_t kMaxBytes = 4095;  // Linux's PATH_MAX without its NUL
  const auto reject = [&](const std::string& why) { throw base::Error(base::Code::usage, name + ": " + why); };
  if (path.find('\0') != std::string::npos) reject("no path has a NUL in it");
  if (!path.starts_with('/')) reject("a path begins with a slash, not as " + path);
  if (path.size() > kMaxBytes) reject("too long a path: " + path.substr(0, 100) + "...");
}

}  // namespace muster::disk
