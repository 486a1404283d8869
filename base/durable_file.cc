#include "base/durable_file.h"

#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/unique_fd.h"

namespace muster::base {
namespace {

void sync_directory_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  const UniqueFd directory(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0) throw_errno("sync the directory of " + path);
}

// Removes the temporary name unless the rename took it away.
struct TemporaryName {
  std::string name;
  ~TemporaryName() {
    if (!name.empty()) ::unlink(name.c_str());
  }
};

TemporaryName temporary_beside(const std::string& path) { return {path + "." + hex(random_bytes(6)) + ".tmp"}; }

UniqueFd create(const TemporaryName& temporary, mode_t mode) {
  UniqueFd file(::open(temporary.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!file) throw_errno("create " + temporary.name);
  return file;
}

}  // namespace

void check_replaceable(const std::string& path) {
  if (std::filesystem::is_directory(path)) throw_errno("replace " + path, EISDIR);
  const TemporaryName temporary = temporary_beside(path);
  create(temporary, 0600);
}

void replace_file(const std::string& path, std::string_view bytes, mode_t mode) {
  TemporaryName temporary = temporary_beside(path);
  const UniqueFd file = create(temporary, mode);
  write_all(file.get(), bytes);
  if (::fsync(file.get()) != 0) throw_errno("sync " + temporary.name);
  if (::rename(temporary.name.c_str(), path.c_str()) != 0) throw_errno("rename to " + path);
  temporary.name.clear();
  sync_directory_of(path);
}

void append_locked(const std::string& path, std::string_view lines, mode_t mode) {
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, mode));
  if (!file) throw_errno("open " + path);
  while (::flock(file.get(), LOCK_EX) != 0)
    if (errno != EINTR) throw_errno("lock " + path);
  // A last line without its newline would swallow our first one.
  const off_t end = ::lseek(file.get(), 0, SEEK_END);
  char last = '\n';
  if (end > 0 && ::pread(file.get(), &last, 1, end - 1) != 1) throw_errno("read " + path);
  write_all(file.get(), last == '\n' ? std::string(lines) : "\n" + std::string(lines));
  if (::fsync(file.get()) != 0) throw_errno("sync " + path);
}

}  // namespace muster::base
