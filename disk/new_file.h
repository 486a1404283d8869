// A file that is being made: gone again unless it was kept, never laid over one that is there. Not thread-safe.
#pragma once

#include <string>

#include "base/unique_fd.h"

namespace muster::disk {

class NewFile {
 public:
  // Makes an empty one of mode 0600. Throws Error{refused} for a path that exists, Error{not_found, no_space, io}.
  explicit NewFile(std::string path);
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile();

  int fd() const { return fd_.get(); }
  // Makes the file and its name durable. Throws Error{io}; then it goes.
  void keep();

 private:
  std::string path_;
  base::UniqueFd fd_;
  bool kept_ = false;
};

}  // namespace muster::disk
