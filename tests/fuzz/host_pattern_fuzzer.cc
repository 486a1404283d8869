// A pattern either selects hosts, each once, or is a usage error. The first line is the pattern, the second the limit.
#include <algorithm>
#include <cstdint>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/error.h"
#include "inventory/glob.h"
#include "inventory/host_pattern.h"
#include "inventory/inventory.h"

namespace {

using namespace muster;

constexpr std::string_view kFleet =
    "all: {hosts: {lone: , 'fe80::1': }}\n"
    "web: {hosts: {'web[01:12]': }}\n"
    "db: {hosts: {db1: , db2: , web03: }}\n"
    "prod: {children: {web: , db: }}\n"
    "empty:\n";

inventory::Inventory fleet(inventory::Dialect dialect) {
  return inventory::load_text(base::Context(), kFleet, "i", {.dialect = dialect});
}

void select(const inventory::Inventory& fleet, std::string_view pattern, std::string_view limit) {
  try {
    const auto selection = inventory::select(base::Context(), fleet, pattern, limit);
    const std::set<inventory::HostIndex> unique(selection.hosts.begin(), selection.hosts.end());
    if (unique.size() != selection.hosts.size()) throw std::logic_error("a host twice");
    if (!unique.empty() && *unique.rbegin() >= fleet.host_count()) throw std::logic_error("no such host");
    const bool nothing = selection.hosts.empty() && !selection.implicit_localhost;
    if (nothing && fleet.dialect() == inventory::Dialect::muster) throw std::logic_error("nothing, and no error");
  } catch (const base::Error& error) {
    if (error.code() != base::Code::usage) throw;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const inventory::Inventory ours = fleet(inventory::Dialect::muster);
  static const inventory::Inventory strict = fleet(inventory::Dialect::ansible_strict);
  std::string text(reinterpret_cast<const char*>(bytes), size);
  std::replace(text.begin(), text.end(), '@', 'a');  // an @ file would be any file of this machine
  const std::string_view whole = text;
  const std::string_view pattern = whole.substr(0, whole.find('\n'));
  const std::string_view limit = whole.substr(std::min(whole.size(), pattern.size() + 1));
  select(ours, pattern, limit);
  select(strict, pattern, limit);
  inventory::glob_matches(pattern, limit);
  return 0;
}
