#include "inventory/named_hosts.h"

#include "inventory/content.h"

namespace muster::inventory {

Inventory named_hosts(const std::vector<std::string>& names, const std::string& source) {
  auto content = std::make_unique<Inventory::Content>(Dialect::muster);
  const Origin origin{.file = source, .at = {}};
  for (const auto& name : names) content->add_member(kUngrouped, content->add_host(name, origin));
  return Inventory(std::move(content));
}

}  // namespace muster::inventory
