#include "cli/backup_key_file.h"

#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/ids.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/connect_options.h"
#include "cli/environment.h"
#include "disk/new_file.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
namespace fs = std::filesystem;

constexpr std::size_t kMaxKeyFileBytes = 4096;

std::string key_directory() { return config_directory() + "/keys"; }

void sync_directory(const fs::path& path) {
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) base::throw_errno("sync " + path.string());
}

// Each that is missing of mode 0700, and durable: a key file whose directory is gone after a crash is a lost key.
void make_directories(const fs::path& path) {
  std::error_code unseen;
  if (path.empty() || fs::is_directory(path, unseen)) return;
  make_directories(path.parent_path());
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) base::throw_errno("make directory " + path.string());
  sync_directory(path.has_parent_path() ? path.parent_path() : ".");
}

bool is_in_usual_directory(const std::string& path) { return fs::path(path).parent_path() == key_directory(); }

// The nearest of its directories that is there takes the others.
fs::path existing_parent(const fs::path& path) {
  const fs::path parent = path.has_parent_path() ? path.parent_path() : ".";
  std::error_code unseen;
  return parent == path || fs::exists(parent, unseen) ? parent : existing_parent(parent);
}

}  // namespace

std::string usual_key_path(const backup::ObjectId& repository) {
  return key_directory() + "/" + backup::hex(repository) + ".key";
}

std::string host_key_path(const backup::ObjectId& repository, const std::string& host) {
  std::string word = host;
  for (char& c : word)
    if (std::string_view("/\\ \n").find(c) != std::string_view::npos) c = '_';
  return key_directory() + "/" + backup::hex(repository) + ".on-" + word + ".key";
}

backup::KeyFile read_key_file(const std::string& path) {
  return backup::parse_key_file(base::read_file(path, kMaxKeyFileBytes), path);
}

void check_key_path(const std::string& path) {
  if (::access(path.c_str(), F_OK) == 0)
    throw Error(Code::refused, path + " is there already: a key file is not replaced");
  // The usual directory is made when it is needed.
  base::check_replaceable(is_in_usual_directory(path) ? existing_parent(path) / "key" : fs::path(path));
}

void write_key_file(const std::string& path, const backup::KeyFile& key) {
  if (is_in_usual_directory(path)) make_directories(key_directory());
  disk::NewFile file(path);
  base::write_all(file.fd(), backup::key_file_text(key));
  file.keep();
}

std::optional<std::string> new_passphrase(const Program& program, std::string_view option) {
  auto passphrase = asked_secret(program, option, "new passphrase: ");
  if (!passphrase) return std::nullopt;
  if (passphrase->empty()) program.settings.reject(option, "an empty passphrase protects nothing");
  if (program.settings.text(option)) return passphrase;  // from a descriptor
  if (ask_on_terminal("the same again: ", program.interrupts.drain()) != passphrase)
    throw Error(Code::usage, "the two passphrases differ; nothing was done");
  return passphrase;
}

}  // namespace muster::cli
