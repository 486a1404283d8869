#include "cli/boot_directory.h"

#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "cli/environment.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
namespace fs = std::filesystem;

// Others pass through, and see nothing.
constexpr mode_t kPassed = 0711;
constexpr const char* kSystemPlace = "/run/libvirt/qemu/muster";

void make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), kPassed) == 0) {
    if (::chmod(path.c_str(), kPassed) != 0) base::throw_errno("open directory " + path);
  } else if (errno != EEXIST) {
    base::throw_errno("make directory " + path);
  }
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0) base::throw_errno(path);
  if (!S_ISDIR(facts.st_mode) || facts.st_uid != ::geteuid() || (facts.st_mode & 022U) != 0)
    throw Error(Code::refused, path + " is somebody else's, or others may write to it: remove it");
}

// nullopt: somebody has it, or it has just been removed.
std::optional<base::UniqueFd> lock(const std::string& path) {
  base::UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory || ::flock(directory.get(), LOCK_EX | LOCK_NB) != 0) return std::nullopt;
  struct stat held {
  }, there{};
  const bool same = ::fstat(directory.get(), &held) == 0 && ::lstat(path.c_str(), &there) == 0 &&
                    held.st_ino == there.st_ino && held.st_dev == there.st_dev;
  return same ? std::optional(std::move(directory)) : std::nullopt;
}

void remove_all(const std::string& path) {
  std::error_code ignored;  // the next one finds it
  fs::remove_all(path, ignored);
}

}  // namespace

BootDirectory::BootDirectory(const std::string& place, const std::string& machine)
    : machine_(machine), path_(place + "/" + machine) {
  fs::create_directories(fs::path(place).parent_path());
  make_directory(place);
  // Once more where another has removed it in between.
  for (int i = 0; i < 2 && !lock_; ++i) {
    make_directory(path_);
    if (auto held = lock(path_)) lock_ = std::move(*held);
  }
  if (!lock_) throw Error(Code::busy, "another process serves '" + machine + "' already");
}

BootDirectory::~BootDirectory() { remove_all(path_); }

std::string BootDirectory::socket_of(const std::string& disk) const {
  const std::string directory = path_ + "/" + disk;
  // libvirt's profile for AppArmor lets a machine's QEMU use files of this name, wherever below /run/libvirt.
  std::string socket = directory + "/" + machine_ + ".pid";
  if (socket.size() >= sizeof sockaddr_un{}.sun_path)
    throw Error(Code::usage, "too long a path for a socket: " + socket);
  remove_all(directory);
  make_directory(directory);
  return socket;
}

std::string BootDirectory::put_file(const std::string& name, std::string_view content) const {
  std::string path = path_ + "/" + name;
  base::replace_file(path, content, 0600);
  return path;
}

std::string boot_place(const Settings& settings, const std::optional<SocketOwner>& owner) {
  if (const auto scratch = settings.text("scratch")) return fs::absolute(*scratch).lexically_normal() / "muster-boot";
  return owner ? kSystemPlace : runtime_directory() + "/boot";
}

void remove_left_directories(const std::string& place, std::string_view prefix) {
  std::error_code unseen;
  for (const auto& entry : fs::directory_iterator(place, unseen))
    if (entry.path().filename().string().starts_with(prefix))
      if (const auto held = lock(entry.path())) remove_all(entry.path());
}

}  // namespace muster::cli
