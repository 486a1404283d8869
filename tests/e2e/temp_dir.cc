#include "tests/e2e/temp_dir.h"

#include <cstdlib>
#include <set>

#include "base/error.h"

namespace muster::e2e {

TempDir::TempDir() {
  std::string name = std::filesystem::temp_directory_path() / "muster-e2e-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) base::throw_errno("make directory " + name);
  path_ = name;
  std::filesystem::permissions(path_, std::filesystem::perms(0755));
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string listing(const std::filesystem::path& directory) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) names.insert(entry.path().filename());
  std::string joined;
  for (const auto& name : names) joined += (joined.empty() ? "" : " ") + name;
  return joined;
}

}  // namespace muster::e2e
