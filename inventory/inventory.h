// Hosts, groups and variables of one or more inventory sources, merged as Ansible merges them (muster-inventory(5)).
// A loaded Inventory never changes; all of its functions may be called from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "yaml/document.h"
#include "yaml/scalar.h"

namespace muster::inventory {

using HostIndex = std::uint32_t;
using GroupIndex = std::uint32_t;

// Where something was written.
struct Origin {
  std::string file;
  yaml::Position at;
};

// One variable as written. The pointers are into what the Inventory keeps, and live as long.
struct Variable {
  const yaml::Node* value = nullptr;
  const std::string* file = nullptr;
};
using Variables = std::map<std::string, Variable, std::less<>>;

// One place that sets a variable for a host, in the order of precedence.
struct Setting {
  Origin origin;  // of the variable's name
  std::string
      scope;  // `group web in the inventory`, `group_vars/web`, `host web01 in the inventory`, `host_vars/web01`
  const yaml::Node* value = nullptr;
};

// How a document is read.
enum class Dialect {
  muster,          // the recommended deviations of muster-inventory(5): mistakes are errors, YAML 1.2 core schema
  ansible_strict,  // Ansible's own reading, where many mistakes are warnings, YAML 1.1 scalars
};

class Inventory {
 public:
  struct Group {
    std::string name;
    std::vector<GroupIndex> children;
    std::vector<HostIndex> hosts;  // direct members, in the order written
    int depth = 0;
  };
  struct Content;  // what the loader builds

  explicit Inventory(std::unique_ptr<const Content> content);
  Inventory(Inventory&&) noexcept;
  Inventory& operator=(Inventory&&) noexcept;
  ~Inventory();

  Dialect dialect() const;
  yaml::Schema schema() const;

  std::size_t host_count() const;
  const std::string& host_name(HostIndex host) const;
  std::optional<HostIndex> find_host(std::string_view name) const;

  // `all` and `ungrouped` included; `all` is group 0.
  const std::vector<Group>& groups() const;
  std::optional<GroupIndex> find_group(std::string_view name) const;
  // Every host of the group and its descendants, without duplicates: the group's own, then those of its children, then
  // those of theirs. (Ansible leaves the order open below the grandchildren.)
  std::vector<HostIndex> hosts_of(GroupIndex group) const;
  // Names of all groups a host is in, `all` left out, as Ansible's `group_names`: sorted.
  std::vector<std::string> group_names(HostIndex host) const;

  // Merged by precedence: a higher value replaces a lower one whole, mappings too. Cost is that of the variables that
  // concern the host.
  Variables variables(HostIndex host) const;
  // The value that wins, or nullopt. Cheaper than variables() for a few names.
  std::optional<Variable> variable(HostIndex host, std::string_view name) const;
  // All places that set it, the winner last. Empty if none does.
  std::vector<Setting> explain(HostIndex host, std::string_view name) const;

  const Content& content() const { return *content_; }

 private:
  std::unique_ptr<const Content> content_;
};

struct LoadOptions {
  Dialect dialect = Dialect::muster;
  // Takes every mistake found, not only the first (at most 1000): `inventory check`. Empty after a load without any.
  std::vector<std::string>* all_problems = nullptr;
};

// Reads the sources, files or directories, in order: later ones override. `ctx` receives warnings.
// Throws base::Error{usage} as `file:line:column: what is wrong; what to write instead`.
// Where `all_problems` is given, mistakes in the inventory go there instead and what could be read is returned.
Inventory load(const base::Context& ctx, const std::vector<std::string>& sources, const LoadOptions& options = {});
// The same from memory, without `group_vars/` and `host_vars/`. `file` is what messages call it.
Inventory load_text(const base::Context& ctx, std::string_view text, const std::string& file,
                    const LoadOptions& options = {});

}  // namespace muster::inventory
