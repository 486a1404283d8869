#include "clone/guest_tree.h"

#include <algorithm>

#include <fnmatch.h>

#include "base/error.h"

namespace muster::clone {

std::vector<std::string> GuestTree::matching(const std::string& directory, const char* pattern) {
  std::vector<std::string> found;
  for (const auto& name : names_in(directory)) {
    if (::fnmatch(pattern, name.c_str(), 0) != 0) continue;
    if (disk::is_plain_guest_name(name))
      found.push_back(name);
    else
      warn("in the guest's " + directory + " a file of an unusual name is left as it is");
  }
  std::sort(found.begin(), found.end());
  return found;
}

bool GuestTree::holds(const std::string& directory, std::string_view name) {
  const auto names = names_in(directory);
  return std::find(names.begin(), names.end(), name) != names.end();
}

void GuestTree::forget(const std::string& directory, const char* pattern) {
  for (const auto& name : matching(directory, pattern)) {
    try {
      root_.remove(ctx_, directory + "/" + name);
    } catch (const base::Error& e) {
      if (e.code() != base::Code::usage) throw;
    }
  }
}

}  // namespace muster::clone
