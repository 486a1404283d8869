#include "disk/new_file.h"

#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"

namespace muster::disk {

NewFile::NewFile(std::string path)
    : path_(std::move(path)), fd_(::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) {
  if (fd_) return;
  if (errno == EEXIST) throw base::Error(base::Code::refused, path_ + " exists already: name a new file, or remove it");
  base::throw_errno("make " + path_);
}

NewFile::~NewFile() {
  if (!kept_) ::unlink(path_.c_str());
}

void NewFile::keep() {
  const auto parent = std::filesystem::path(path_).parent_path();
  const base::UniqueFd directory(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (::fsync(fd_.get()) != 0 || !directory || ::fsync(directory.get()) != 0) base::throw_errno("sync " + path_);
  kept_ = true;
}

}  // namespace muster::disk
