#include "vm/tpm_state.h"

#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/unique_fd.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;
namespace fs = std::filesystem;

// swtpm's are of some kilobytes.
constexpr std::size_t kMaxStateBytes = 4U << 20;

// Of swtpm 0.7: where --tpmstate is a directory.
fs::path state_file(const std::string& version) {
  return version == "1.2" ? "tpm1.2/tpm-00.permall" : "tpm2/tpm2-00.permall";
}

fs::path directory_of(const TpmDirectories& places, const std::string& uri, const std::string& uuid) {
  const bool own = uri.find(":///session") != std::string::npos;
  return fs::path(own ? places.session : places.system) / uuid;
}

// Who libvirt runs swtpm as, unless qemu.conf says otherwise: what the other machines' directories say, else the user
// that Debian's packages make for it.
struct Owner {
  uid_t user = 0;
  gid_t group = 0;
};
Owner owner_of_states(const fs::path& all) {
  std::error_code unseen;
  for (const auto& entry : fs::directory_iterator(all, unseen))
    for (const char* version : {"tpm2", "tpm1.2"}) {
      struct stat facts {};
      if (::lstat((entry.path() / version).c_str(), &facts) == 0 && S_ISDIR(facts.st_mode))
        return {facts.st_uid, facts.st_gid};
    }
  passwd entry{};
  passwd* found = nullptr;
  std::string room(16384, '\0');
  if (::getpwnam_r("tss", &entry, room.data(), room.size(), &found) == 0 && found != nullptr)
    return {found->pw_uid, found->pw_gid};
  return {};
}

// The directories belong to the TPM's user, who could put links there: none is followed.
base::UniqueFd open_directory(const base::UniqueFd& parent, const std::string& name) {
  base::UniqueFd fd(::openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) base::throw_errno("open directory " + name);
  return fd;
}
base::UniqueFd make_directory(const base::UniqueFd& parent, const std::string& name, mode_t mode) {
  if (::mkdirat(parent.get(), name.c_str(), mode) != 0 && errno != EEXIST) base::throw_errno("make directory " + name);
  return open_directory(parent, name);
}
base::UniqueFd open_top(const fs::path& path) {
  base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) base::throw_errno("open directory " + path.string());
  return fd;
}

std::string read_regular(const base::UniqueFd& directory, const std::string& name) {
  const base::UniqueFd fd(::openat(directory.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat facts {};
  if (!fd || ::fstat(fd.get(), &facts) != 0) base::throw_errno("open " + name);
  if (!S_ISREG(facts.st_mode) || facts.st_size > static_cast<off_t>(kMaxStateBytes))
    throw Error(Code::corrupt, name + ": no state of a TPM");
  std::string bytes(static_cast<std::size_t>(facts.st_size), '\0');
  const ssize_t got = ::pread(fd.get(), bytes.data(), bytes.size(), 0);
  if (got < 0) base::throw_errno("read " + name);
  bytes.resize(static_cast<std::size_t>(got));
  return bytes;
}

// Whole or not there, and its user's from the start.
void replace_regular(const base::UniqueFd& directory, const std::string& name, std::string_view bytes,
                     const Owner& owner) {
  const std::string temporary = name + ".muster";
  ::unlinkat(directory.get(), temporary.c_str(), 0);
  const base::UniqueFd fd(
      ::openat(directory.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) base::throw_errno("make " + temporary);
  base::write_all(fd.get(), bytes);
  const bool root = ::geteuid() == 0;
  if (root &&
      (::fchown(fd.get(), owner.user, owner.group) != 0 || ::fchown(directory.get(), owner.user, owner.group) != 0))
    base::throw_errno("give " + name + " to the TPM's user");
  if (::fsync(fd.get()) != 0 || ::renameat(directory.get(), temporary.c_str(), directory.get(), name.c_str()) != 0 ||
      ::fsync(directory.get()) != 0)
    base::throw_errno("put " + name + " in its place");
}

}  // namespace

std::optional<std::string> read_tpm_state(const TpmDirectories& places, const std::string& uri,
                                          const virt::DomainXml& machine) {
  const std::string version = machine.tpm_version();
  if (version.empty()) return std::nullopt;
  const fs::path file = state_file(version);
  const fs::path directory = directory_of(places, uri, machine.uuid());
  try {
    const auto own = open_directory(open_top(directory.parent_path()), directory.filename());
    return read_regular(open_directory(own, file.parent_path()), file.filename());
  } catch (const Error& e) {
    if (e.code() == Code::not_found) return std::nullopt;
    throw;
  }
}

void write_tpm_state(const TpmDirectories& places, const std::string& uri, const virt::DomainXml& machine,
                     const std::string& uuid, std::string_view state) {
  const std::string version = machine.tpm_version();
  if (version.empty()) throw Error(Code::unsupported, "'" + machine.name() + "' has no emulated TPM");
  const fs::path directory = directory_of(places, uri, uuid);
  const fs::path file = state_file(version);
  const fs::path all = directory.parent_path();
  // Modes as libvirt gives them.
  if (::mkdir(all.parent_path().c_str(), 0711) != 0 && errno != EEXIST) base::throw_errno(all.parent_path());
  if (::mkdir(all.c_str(), 0711) != 0 && errno != EEXIST) base::throw_errno("make directory " + all.string());
  const Owner owner = owner_of_states(all);
  const auto own = make_directory(open_top(all), directory.filename(), 0711);
  replace_regular(make_directory(own, file.parent_path(), 0700), file.filename(), state, owner);
}

}  // namespace muster::vm
