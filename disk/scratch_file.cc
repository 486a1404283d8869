#include "disk/scratch_file.h"

#include <fstream>
#include <iterator>

#include <fcntl.h>

#include "base/error.h"
#include "base/unique_fd.h"

namespace muster::disk {

void write_scratch(const std::string& path, std::string_view bytes) {
  const base::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) base::throw_errno("write " + path);
  base::write_all(fd.get(), bytes);
}

std::string read_scratch(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace muster::disk
