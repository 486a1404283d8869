#include "inventory/entry_places.h"

#include "inventory/host_name.h"
#include "inventory/host_range.h"

namespace muster::inventory {
namespace {

using yaml::SyntaxNode;

class Finder {
 public:
  explicit Finder(Dialect dialect) : dialect_(dialect) {}

  void read_groups(const SyntaxNode& groups) {
    for (std::size_t i = 0; 2 * i < groups.children.size(); ++i) {
      const Place place{.mapping = &groups, .index = i};
      if (!place.key().is_scalar()) continue;
      places_.groups[place.key().text].push_back(place);
      if (place.value().is_mapping()) read_group(place);
    }
  }
  EntryPlaces take() { return std::move(places_); }

 private:
  void read_group(const Place& group) {
    for (std::size_t i = 0; 2 * i < group.value().children.size(); ++i) {
      const Place part{.mapping = &group.value(), .index = i};
      if (!part.key().is_scalar() || !part.value().is_mapping()) continue;
      if (part.key().text == "children") read_groups(part.value());
      if (part.key().text == "hosts") read_hosts(group.key().text, part.value());
    }
  }

  void read_hosts(const std::string& group, const SyntaxNode& hosts) {
    for (std::size_t i = 0; 2 * i < hosts.children.size(); ++i) {
      const Place entry{.mapping = &hosts, .index = i};
      const SyntaxNode& key = entry.key();
      if (!key.is_scalar() || (key.plain && key.text == "<<")) continue;
      const std::string_view names = split_host_key(key.text, dialect_).names;
      HostPlace place{
          .entry = entry, .group = group, .names = {}, .is_range = names.find('[') != std::string_view::npos};
      if (place.is_range)
        place.names = expand_ranges(names, dialect_ == Dialect::muster ? RangeSyntax::both : RangeSyntax::ansible);
      else
        place.names = {std::string(names)};
      places_.hosts.push_back(std::move(place));
    }
  }

  Dialect dialect_;
  EntryPlaces places_;
};

}  // namespace

EntryPlaces entry_places(const SyntaxNode& root, Dialect dialect) {
  Finder finder(dialect);
  if (root.is_mapping()) finder.read_groups(root);
  EntryPlaces places = finder.take();
  for (const auto& place : places.hosts)
    if (!place.is_range) places.by_host[place.names.front()].push_back(&place);
  return places;
}

std::optional<Place> find_entry(const SyntaxNode& mapping, std::string_view key) {
  if (!mapping.is_mapping()) return std::nullopt;
  for (std::size_t i = mapping.children.size() / 2; i-- > 0;) {
    const Place place{.mapping = &mapping, .index = i};
    if (place.key().is_scalar() && place.key().text == key) return place;
  }
  return std::nullopt;
}

}  // namespace muster::inventory
