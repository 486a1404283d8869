// What muster keeps about a domain in the domain's own metadata, by topic: the element <facts> of kMetadataNamespace
// has one child, a part, for each topic. A part belongs to whoever writes it; changing one leaves the others alone, and
// what an older or newer version put there. libvirt has no way to change metadata only if nobody else did meanwhile:
// the last of two writers at the same moment wins. Metadata goes with a definition wherever that is copied: a part that
// is true of one machine alone has to say of which. Thread-safe, as libvirt's handles are.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "virt/domain.h"
#include "virt/domain_xml.h"

namespace muster::virt {

// An element of XML. Text and children do not go together: text beside children is not kept.
struct MetadataElement {
  std::string name;
  std::map<std::string, std::string> attributes = {};
  std::string text = {};
  std::vector<MetadataElement> children = {};

  // Empty where there is none.
  std::string attribute(const std::string& key) const;
};

// libvirt takes no string of more than 4 MiB, and the metadata is a part of the definition.
inline constexpr std::size_t kMaxMetadataBytes = 2U << 20;

// nullopt: the domain has no such part.
std::optional<MetadataElement> metadata_part(const Domain& domain, std::string_view name);
// The same of a part that says by its attribute `uuid` of which machine it is true: nullopt also where that is another,
// whose definition was copied.
std::optional<MetadataElement> own_metadata_part(const Domain& domain, std::string_view name);
// In place of the part of the same name, if that passes; false: it does not, and stays. One call of libvirt's lies
// between the look and the change. Throws base::Error{refused} for more than kMaxMetadataBytes in all.
using PartTest = std::function<bool(const std::optional<MetadataElement>& there)>;
bool put_metadata_part(const Domain& domain, const MetadataElement& part, const PartTest& passes = {});
void drop_metadata_part(const Domain& domain, std::string_view name);

// The same on the text of the element, which Domain::metadata() returns. Throw base::Error{corrupt} for what is no XML.
// without_part() is empty where nothing is left.
std::optional<MetadataElement> find_part(const std::string& element, std::string_view name);
std::string with_part(const std::string& element, const MetadataElement& part);
std::string without_part(const std::string& element, std::string_view name);

// <facts> with these parts alone and its namespace, for the <metadata> of a new definition.
std::string new_metadata(const std::vector<MetadataElement>& parts);
// These parts in place of whatever muster keeps in a definition; none: nothing of it stays.
void set_facts(DomainXml& definition, const std::vector<MetadataElement>& parts);
// In place of the part of the same name; the others stay.
void add_fact(DomainXml& definition, const MetadataElement& part);

}  // namespace muster::virt
