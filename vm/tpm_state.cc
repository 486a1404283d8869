#include "vm/tpm_state.h"

#include <cerrno>
#include <filesystem>

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/durable_file.h"
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
fs::path state_file(const fs::path& directory, const std::string& version) {
  return version == "1.2" ? directory / "tpm1.2" / "tpm-00.permall" : directory / "tpm2" / "tpm2-00.permall";
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
      if (::stat((entry.path() / version).c_str(), &facts) == 0) return {facts.st_uid, facts.st_gid};
    }
  passwd entry{};
  passwd* found = nullptr;
  std::string room(16384, '\0');
  if (::getpwnam_r("tss", &entry, room.data(), room.size(), &found) == 0 && found != nullptr)
    return {found->pw_uid, found->pw_gid};
  return {};
}

void make_directory(const fs::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) base::throw_errno("make directory " + path.string());
}

void give(const fs::path& path, const Owner& owner) {
  if (::geteuid() == 0 && ::lchown(path.c_str(), owner.user, owner.group) != 0)
    base::throw_errno("give " + path.string() + " to the TPM's user");
}

}  // namespace

std::optional<std::string> read_tpm_state(const TpmDirectories& places, const std::string& uri,
                                          const virt::DomainXml& machine) {
  const std::string version = machine.tpm_version();
  if (version.empty()) return std::nullopt;
  try {
    return base::read_file(state_file(directory_of(places, uri, machine.uuid()), version), kMaxStateBytes);
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
  const fs::path file = state_file(directory, version);
  const Owner owner = owner_of_states(directory.parent_path());
  // Modes as libvirt gives them.
  make_directory(directory.parent_path(), 0711);
  make_directory(directory, 0711);
  make_directory(file.parent_path(), 0700);
  base::replace_file(file, std::string(state));
  give(file.parent_path(), owner);
  give(file, owner);
}

}  // namespace muster::vm
