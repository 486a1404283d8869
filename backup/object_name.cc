#include "backup/object_name.h"

#include <algorithm>
#include <string>

#include "backup/storage.h"
#include "base/error.h"

namespace muster::backup {
namespace {

constexpr std::size_t kMaxNameBytes = 200;
// What directory storages have there is unfinished.
constexpr std::string_view kReserved = "tmp";

bool is_word(std::string_view word) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
  };
  return !word.empty() && word != "." && word != ".." && std::ranges::all_of(word, fits);
}

}  // namespace

bool is_object_name(std::string_view name) {
  if (name.size() > kMaxNameBytes || name.substr(0, name.find('/')) == kReserved) return false;
  for (;;) {
    const std::size_t slash = name.find('/');
    if (!is_word(name.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
}

void check_object_name(std::string_view name) {
  if (!is_object_name(name)) throw base::Error(base::Code::usage, "no name of an object: '" + std::string(name) + "'");
}

void check_prefix(std::string_view prefix) {
  if (prefix.empty()) return;
  if (!prefix.ends_with('/'))
    throw base::Error(base::Code::usage, "no prefix, which ends with a slash: '" + std::string(prefix) + "'");
  check_object_name(prefix.substr(0, prefix.size() - 1));
}

}  // namespace muster::backup
